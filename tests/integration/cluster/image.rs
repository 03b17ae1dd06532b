//! The image, without a container: what the steps of its Dockerfile make, in a root that holds nothing else.

use std::{net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jwk_operator::api::AdminApi;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    authentication::{authority, gate, https},
    name_server,
    operator::{Playground, generated},
    released::program_as_released,
    wait::eventually,
};

/// A root with the program and nothing else.
fn empty_root() -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).expect("a folder for everybody");
    std::fs::copy(program_as_released(), root.path().join("jwk-operator")).expect("copied");
    root
}

/// The program in this root, as the user of the image and without any environment. Who is not root has it run in a user namespace instead, where
/// it is root of nothing but its files.
fn program(root: &Path) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let (tool, arguments): (_, &[_]) =
        if is_root { ("chroot", &["--userspec=65532:65532"]) } else { ("unshare", &["--map-root-user", "--root"]) };
    let mut command = Command::new(tool);
    command.args(arguments).arg(root).arg("/jwk-operator").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn printed(mut command: Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    // As the kubelet writes it: for everybody, whatever the one who tests keeps to themselves.
    let mut folder = root.to_owned();
    for part in path.parent().expect("a folder").strip_prefix(root).expect("in the root").components() {
        folder.push(part);
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("made");
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("a folder for everybody");
        }
    }
    std::fs::write(&path, content).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("a file for everybody");
}

#[test]
fn the_image_is_made_of_the_program_and_certificates_for_a_user_without_rights() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile")).expect("a Dockerfile");
    let (first, last) = file.split_once("\nFROM scratch\n").expect("a last stage without a base");
    assert!(first.contains("\nWORKDIR /src\n"), "{first}");
    let starts_with = |words: &[&str]| {
        let lines = last.lines().filter(|line| words.iter().any(|word| line.starts_with(word)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let copied = [
        "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
        // What hack/image-root names.
        "COPY --from=build /src/target/image/ /",
    ];
    assert_eq!(starts_with(&["COPY", "ADD", "RUN", "FROM", "VOLUME", "SHELL"]), copied);
    let run = ["USER 65532:65532", "EXPOSE 8080", "ENTRYPOINT [\"/jwk-operator\"]", "CMD [\"run\"]"];
    assert_eq!(starts_with(&["USER", "EXPOSE", "ENTRYPOINT", "CMD"]), run);
}

#[test]
fn the_program_starts_in_an_empty_root_and_tells_nothing_of_the_machine_that_built_it() {
    let root = empty_root();
    let run = |argument: &str| {
        let mut command = program(root.path());
        command.arg(argument);
        printed(command)
    };
    assert_eq!(run("--version"), concat!("jwk-operator ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(!run("--help").contains("emulator"), "the emulator hands out private keys");
    let mut here = Command::new(env!("CARGO_BIN_EXE_jwk-operator"));
    here.arg("crds");
    assert_eq!(run("crds"), printed(here));

    let content = std::fs::read(root.path().join("jwk-operator")).expect("the program");
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").expect("a home")));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().and_then(Path::to_str).expect("a folder");
    for path in [&cargo, env!("CARGO_MANIFEST_DIR"), target] {
        assert!(!content.windows(path.len()).any(|window| window == path.as_bytes()), "{path} is in the program");
    }
}

/// What the kubelet mounts for a service account. Answers the port of the API server.
async fn mount_account(root: &Path, playground: &Playground) -> String {
    let kubeconfig = std::fs::read(playground.control_plane.operator_kubeconfig().await).expect("a kubeconfig");
    let kubeconfig: Value = serde_json::from_slice(&kubeconfig).expect("JSON");
    let text = |pointer: &str| kubeconfig.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}")).to_owned();
    let ca = BASE64_STANDARD.decode(text("/clusters/0/cluster/certificate-authority-data")).expect("Base64");
    let token = text("/users/0/user/token");
    for (name, content) in [("ca.crt", ca.as_slice()), ("token", token.as_bytes()), ("namespace", b"jwk-operator")] {
        write(root, &format!("var/run/secrets/kubernetes.io/serviceaccount/{name}"), content);
    }
    text("/clusters/0/cluster/server").rsplit(':').next().expect("a port").to_owned()
}

/// Lets the name hydra-admin.ory be found as in a Pod.
async fn mount_names(root: &Path) {
    match name_server::serve("hydra-admin.ory.svc.cluster.local").await {
        Some(address) => {
            let search = "jwk-operator.svc.cluster.local svc.cluster.local cluster.local";
            write(root, "etc/resolv.conf", format!("search {search}\nnameserver {address}\noptions ndots:5\n").as_bytes());
        }
        None => {
            eprintln!("port 53 is for root only: the name is found in a file, and that a name server is asked is not tried");
            write(root, "etc/hosts", b"127.0.0.1 hydra-admin.ory\n");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_does_its_work_in_an_empty_root_with_what_the_kubelet_mounts() {
    let root = empty_root();
    let mut playground = Playground::without_operator().await;
    mount_names(root.path()).await;
    let api_server = mount_account(root.path(), &playground).await;
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut command = program(root.path());
    command.args(["--log-level=info", "run", &format!("--serve=127.0.0.1:{port}")]);
    command.envs([("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", &api_server)]);
    command.envs([("POD_NAME", "jwk-operator-0"), ("POD_NAMESPACE", "jwk-operator")]);
    playground.start_command(command, port).await;

    let mut health = program(root.path());
    health.args(["health", &format!("--url=http://127.0.0.1:{port}/readyz")]);
    assert!(printed(health).ends_with("answers 200\n"));

    // Over plain http, by name.
    let url = playground.emulator.url().replace("127.0.0.1", "hydra-admin.ory");
    playground.admin_api(json!({ "url": url, "resyncInterval": "2s", "timeout": "1s" })).await;
    let publish = json!([{ "configMap": { "name": "payments-jwks" } }]);
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")], "publish": publish })).await;
    playground.until_ready("shop", "payments").await;
    let published = playground.control_plane.api::<ConfigMap>("shop").get("payments-jwks").await.expect("published");
    assert!(published.data.expect("data")["jwks.json"].contains(&playground.remote_kids("shop.payments")[0]));

    // Over https, with the authority that the AdminApi names. Without one it says what is missing.
    let ours = authority();
    let url = https(gate(|_| true), &ours, None).await;
    let labels = json!({ "jwk-operator.dev/admin-api": "named" });
    let map = json!({ "metadata": { "name": "ca", "labels": labels }, "data": { "ca.crt": ours.pem() } });
    let maps = playground.control_plane.api::<ConfigMap>("jwk-operator");
    maps.create(&PostParams::default(), &serde_json::from_value(map).expect("a ConfigMap")).await.expect("created");
    let tls = json!({ "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" } });
    for (name, tls) in [("named", tls), ("unnamed", json!({}))] {
        let access = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }]);
        let spec = json!({ "url": url, "tls": tls, "timeout": "5s", "access": access });
        let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": name }, "spec": spec });
        playground.control_plane.apply(object).await.expect("an AdminApi");
    }
    playground.apply("shop", "named", json!({ "adminApiRef": { "name": "named" }, "mode": "Observe" })).await;
    playground.until_ready("shop", "named").await;
    let admin_apis = Api::<AdminApi>::all(playground.control_plane.platform());
    let ready = eventually("the AdminApi without an authority says so", async || {
        let status = admin_apis.get("unnamed").await.ok()?.status?;
        status.conditions.into_iter().find(|condition| condition.type_ == "Ready" && condition.reason == "AdminApiInvalid")
    })
    .await;
    assert!(ready.message.contains("the system has no CA certificates"), "{}", ready.message);
}
