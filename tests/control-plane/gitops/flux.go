package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// fluxHealth judges with the expressions for the object's kind.
func fluxHealth(file string, object *unstructured.Unstructured) (Verdict, error) {
	kind := object.GroupVersionKind().GroupKind()
	checks, err := healthChecks(file)
	if err != nil {
		return Verdict{}, err
	}
	var found []kustomize.CustomHealthCheck
	for _, check := range checks {
		if schema.FromAPIVersionAndKind(check.APIVersion, check.Kind).GroupKind() == kind {
			found = append(found, check)
		}
	}
	// Two that differ would be half tried.
	if len(found) != 1 {
		return Verdict{}, fmt.Errorf("%s has healthCheckExprs for %s %d times: it has to have them once", file, kind, len(found))
	}
	evaluator, err := cel.NewStatusEvaluator(&found[0].HealthCheckExpressions)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %s: %w", file, kind, err)
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %s: %w", file, kind, err)
	}
	return Verdict{Status: result.Status.String(), Message: result.Message}, nil
}

// healthChecks are those of all Kustomizations of the file. They are read strictly: Flux' definition refuses no unknown field, it drops it.
func healthChecks(file string) ([]kustomize.CustomHealthCheck, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	var checks []kustomize.CustomHealthCheck
	documents := utilyaml.NewYAMLReader(bufio.NewReader(opened))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return checks, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		var kustomization kustomizev1.Kustomization
		if err := yaml.Unmarshal(document, &kustomization.TypeMeta); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if kustomization.GroupVersionKind() != kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind) {
			continue
		}
		if err := yaml.UnmarshalStrict(document, &kustomization); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		checks = append(checks, kustomization.Spec.HealthCheckExprs...)
	}
}
