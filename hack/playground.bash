# The parts of the playground. Sourced by `playground`, which sets `state`, the folder of everything that is written.

operator=${CARGO_TARGET_DIR:-target}/debug/jwk-operator
programs=     # the folder of kubectl and the control plane
admin_url=    # the admin API

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Shows a command and runs it.
show() {
  printf '\033[2m$ %s\033[0m\n' "$*"
  "$@"
}

start_playground() {
  # The caller wants the last line of `build` only; its progress goes to standard error.
  programs=$(tests/control-plane/build)
  cargo build --locked --bin jwk-operator
  export PATH=$programs:$PATH KUBECACHEDIR=$state/kube-cache

  say "Starting a control plane: etcd, kube-apiserver, kube-controller-manager."
  KUBECONFIG=$(tests/control-plane/start "$state/control-plane" "$@" | tail -n 1)
  export KUBECONFIG
  start_admin_api
  say "Installing the operator: its definitions, and a service account that may do no more than deploy/rbac says."
  kubectl apply -f crds -f deploy/rbac/cluster.yaml -f deploy/rbac/users.yaml >/dev/null
  kubectl wait --for=condition=Established --timeout=60s crd/adminapis.jwk-operator.dev crd/jsonwebkeysets.jwk-operator.dev >/dev/null
  kubectl create namespace shop >/dev/null 2>&1 || true
  # A short resync, so that nobody waits ten minutes for a repaired drift; a short timeout, so that a key can be announced for seconds.
  sed -e "s|^  url: .*|  url: $admin_url|" -e 's|^  resyncInterval: .*|  resyncInterval: 5s\n  timeout: 2s\n  limits: {minRotationInterval: 10s}|' deploy/samples/admin-api.yaml >"$state/admin-api.yaml"
  kubectl apply -f "$state/admin-api.yaml" >/dev/null
  start_operator
}

start_admin_api() {
  if [[ -n ${JWK_OPERATOR_ADMIN_URL:-} ]]; then
    admin_url=${JWK_OPERATOR_ADMIN_URL%/}
    say "Using the admin API at $admin_url."
  else
    local port
    port=$(free_port)
    admin_url=http://127.0.0.1:$port
    say "Starting the emulator of Ory Hydra's admin API at $admin_url."
    start_process emulator "$operator" emulator --listen "127.0.0.1:$port"
    wait_for "the emulator" call_admin GET /health/ready
  fi
  echo "$admin_url" >"$state/admin-url"
}

start_operator() {
  local token health
  token=$(kubectl -n jwk-operator create token jwk-operator --duration=24h)
  cp "$KUBECONFIG" "$state/operator.kubeconfig"
  kubectl --kubeconfig "$state/operator.kubeconfig" config set-credentials operator --token="$token" >/dev/null
  kubectl --kubeconfig "$state/operator.kubeconfig" config set-context --current --user=operator --namespace=jwk-operator >/dev/null
  health=$(free_port)
  KUBECONFIG=$state/operator.kubeconfig start_process operator "$operator" run --namespace jwk-operator --serve "127.0.0.1:$health"
  admin_url_of_health=http://127.0.0.1:$health wait_for "the operator" operator_is_ready
  say "The operator is ready. Its log is $state/operator.log."
}

operator_is_ready() { request "$admin_url_of_health" GET /readyz >/dev/null; }

# start_process NAME COMMAND...: in the background, its output into a log, its pid into a file.
start_process() {
  local name=$1
  shift
  "$@" >"$state/$name.log" 2>&1 </dev/null &
  echo $! >"$state/$name.pid"
}

# Ends what was started, and only that: a pid may have been given to another program meanwhile.
end_playground() {
  local name pid
  for name in operator emulator; do
    [[ -f $state/$name.pid ]] || continue
    pid=$(<"$state/$name.pid")
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'jwk-operator'; then
      kill "$pid" 2>/dev/null || true
      for _ in {1..100}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    fi
    rm -f "$state/$name.pid"
  done
  if [[ -d $state/control-plane ]]; then tests/control-plane/stop "$state/control-plane" >/dev/null; fi
}

# A port of the loopback interface that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# wait_for WHAT COMMAND...: until the command succeeds, at most a minute.
wait_for() {
  local what=$1
  shift
  for _ in {1..300}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "waited a minute for $what in vain; the logs are in $state" >&2
  tail -n 20 "$state"/*.log >&2
  return 1
}

# call_admin METHOD PATH: prints the body, fails unless the status is 2xx.
call_admin() { request "$admin_url" "$@"; }

# request URL METHOD PATH, with curl where it is, and without it for plain http.
request() {
  local url=$1 method=$2 path=$3 host status line
  if command -v curl >/dev/null; then
    curl --silent --fail-with-body --max-time 10 --request "$method" "$url$path" && echo
    return
  fi
  host=${url#http://}
  exec 3<>"/dev/tcp/${host%:*}/${host##*:}" || return 1
  printf '%s %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$method" "$path" "$host" >&3
  read -r _ status _ <&3
  while read -r line <&3; do [[ $line != $'\r' ]] || break; done
  cat <&3
  exec 3<&-
  [[ $status == 2* ]]
}

signer() { kubectl -n shop get jwks payments -o 'jsonpath={.status.signer}'; }

# Whether a key of the set tokens is in this state.
has_key() { kubectl -n shop get jwks tokens -o 'jsonpath={.status.keys[*].state}' | grep -qw "$1"; }

signer_is_not() {
  local now
  now=$(signer)
  [[ -n $now && $now != "$1" ]]
}

refuse_private_key() {
  local answer
  if answer=$(kubectl apply -f - 2>&1 <<'YAML'
apiVersion: jwk-operator.dev/v1alpha1
kind: JsonWebKeySet
metadata: {name: oops, namespace: shop}
spec:
  keys:
  - name: partner
    public: {kid: partner-2, kty: EC, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, "y": x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0, d: jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI}
YAML
  ); then
    echo "it was accepted, which must not be" >&2
    return 1
  fi
  echo "$answer"
}
