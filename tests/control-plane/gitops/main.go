// Command gitops judges objects as GitOps tools do, for the tests: with their own libraries.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const usage = `usage: gitops kstatus | argocd-health SCRIPT | flux-health FILE < OBJECT
  kstatus               what kstatus says of the object
  argocd-health SCRIPT  what Argo CD says with the health script in this file
  flux-health FILE      what Flux says with the healthCheckExprs of the Kustomizations in this file
OBJECT is one object as JSON or YAML. The answer is {"status": ..., "message": ...}.`

// Verdict is what a tool says of an object, in its own words.
type Verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	verdict, err := judge(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdict); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func judge(arguments []string) (Verdict, error) {
	var command, file string
	switch len(arguments) {
	case 1:
		command = arguments[0]
	case 2:
		command, file = arguments[0], arguments[1]
	}
	switch {
	case command == "kstatus" && file == "":
		return withObject(kstatus)
	case command == "argocd-health" && file != "":
		return withObject(func(object *unstructured.Unstructured) (Verdict, error) { return argocdHealth(file, object) })
	case command == "flux-health" && file != "":
		return withObject(func(object *unstructured.Unstructured) (Verdict, error) { return fluxHealth(file, object) })
	}
	return Verdict{}, fmt.Errorf("not understood: %q\n%s", arguments, usage)
}

// withObject reads the object from standard input, with numbers as a client of the API server has them.
func withObject(tool func(*unstructured.Unstructured) (Verdict, error)) (Verdict, error) {
	read, err := io.ReadAll(os.Stdin)
	if err != nil {
		return Verdict{}, err
	}
	content, err := yaml.YAMLToJSON(read)
	if err != nil {
		return Verdict{}, fmt.Errorf("standard input is neither JSON nor YAML: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(content); err != nil {
		return Verdict{}, fmt.Errorf("standard input is no object of Kubernetes: %w", err)
	}
	return tool(object)
}
