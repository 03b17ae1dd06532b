// Where tests find the definitions of ServiceMonitor and PrometheusRule. Nothing of it is built.
module jwk-operator.dev/tests/control-plane/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
