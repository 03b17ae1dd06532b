//! Bad input, refused by the API server with a sentence that a user understands.

use serde_json::{Value, json};

use super::control_plane::ControlPlane;

fn partner() -> Value {
    json!({ "kid": "partner-1", "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

async fn refusal(control_plane: &ControlPlane, kind: &str, name: &str, spec: Value) -> String {
    let mut metadata = json!({ "name": name });
    if kind == "JsonWebKeySet" {
        metadata["namespace"] = "shop".into();
    }
    let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec });
    match control_plane.apply(object.clone()).await {
        Ok(_) => panic!("accepted: {object}"),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_sentence() {
    let control_plane = ControlPlane::start().await;
    let generate = json!({ "alg": "ES256" });
    let secret = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    let keys = |entries: Value| json!({ "keys": entries });
    let long = "x".repeat(101);
    let cases: Vec<(Value, &str)> = vec![
        (keys(json!([{ "name": "p", "public": with(partner(), "d", secret.into()) }])), "this is a private key: remove d"),
        (keys(json!([{ "name": "p", "public": with(partner(), "oth", json!([{ "r": "x" }])) }])), "this is a private key: remove d"),
        (keys(json!([{ "name": "p", "public": { "kid": "s", "kty": "oct", "k": secret } }])), "this is a private key: remove d"),
        (keys(json!([{ "name": "p", "public": { "kid": "s", "kty": "oct" } }])), "a symmetric key has no public half"),
        (
            keys(json!([{ "name": "p", "generate": generate, "public": partner() }])),
            "key \"p\" must have exactly one of generate, import and public",
        ),
        (keys(json!([{ "name": "p" }])), "key \"p\" must have exactly one of generate, import and public"),
        (
            keys(json!([{ "name": "p", "generate": generate, "import": { "secretRef": { "name": "s" } } }])),
            "key \"p\" must have exactly one of generate, import and public",
        ),
        (keys(json!([{ "name": "p", "import": {} }])), "secretRef"),
        (
            keys(json!([{ "name": "p", "import": { "secretRef": { "name": "s" } }, "rotation": { "interval": "24h" } }])),
            "an imported key is replaced when its Secret changes",
        ),
        (
            keys(json!([{ "name": "p", "public": partner(), "rotation": { "retain": "24h" } }])),
            "does not rotate the public key of somebody else",
        ),
        (keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "30d" } }])), "write days as hours"),
        (keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "9s" } }])), "interval must be at least 10s"),
        (
            keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "1h", "prepublish": "1h" } }])),
            "prepublish 1h must be shorter than interval 1h",
        ),
        (
            keys(
                json!([{ "name": "a", "import": { "secretRef": { "name": "s" }, "kid": "partner-1" } }, { "name": "b", "public": partner() }]),
            ),
            "two keys have the same kid",
        ),
        (
            with(keys(json!([{ "name": "b", "public": partner() }])), "revoke", json!(["partner-1"])),
            "a kid must not be in both revoke and keys",
        ),
        (keys(json!([{ "name": "a", "public": partner() }, { "name": "b", "public": partner() }])), "two keys have the same kid"),
        (
            keys(json!([{ "name": "a", "generate": generate }, { "name": "b", "generate": generate }])),
            "several entries can sign: write signer",
        ),
        (
            with(keys(json!([{ "name": "a", "public": partner() }])), "signer", "a".into()),
            "signer \"a\" must be the name of a generate or import entry",
        ),
        (keys(json!([{ "name": "Upper", "generate": generate }])), "spec.keys[0].name"),
        (keys(json!([{ "name": "a", "generate": { "alg": "none" } }])), "Unsupported value: \"none\""),
        (json!({ "set": "a/b" }), "set \"a/b\" must consist of letters"),
        (json!({ "set": "a..b" }), "contain no .."),
        (json!({ "set": "a~next" }), "must consist of letters"),
        (json!({ "set": "x".repeat(201) }), "200"),
        (
            json!({ "publish": [{ "configMap": { "name": "a" } }, { "configMap": { "name": "a", "key": "b" } }] }),
            "two targets must not name the same object",
        ),
        (
            json!({ "publish": [{ "configMap": { "name": "a" }, "secret": { "name": "a" } }] }),
            "a target must have exactly one of configMap and secret",
        ),
        (
            json!({ "publish": [{ "secret": { "name": "a", "type": "kubernetes.io/service-account-token" } }] }),
            "is reserved by the cluster",
        ),
        (json!({ "publish": [{ "secret": { "name": "a", "layout": "Oathkeeper" } }] }), "layout requires content: Private"),
        (json!({ "publish": [{ "configMap": { "name": "a", "content": "Private" } }] }), "content"),
        (
            json!({ "publish": [{ "configMap": { "name": "a" }, "labels": { "argocd.argoproj.io/secret-type": "cluster" } }] }),
            "labels must not use the prefixes",
        ),
        (
            json!({ "publish": [{ "configMap": { "name": "a" }, "annotations": { "jwk-operator.dev/set": "x" } }] }),
            "annotations must not use the prefixes",
        ),
        (
            keys(
                (0..33)
                    .map(|index| json!({ "name": format!("k{index}"), "public": with(partner(), "kid", format!("kid-{index}").into()) }))
                    .collect(),
            ),
            "32",
        ),
    ];
    for (spec, sentence) in cases {
        let message = refusal(&control_plane, "JsonWebKeySet", "bad", spec.clone()).await;
        assert!(message.contains(sentence), "{spec}: {message}");
        assert!(!message.contains(secret), "the private value is repeated: {message}");
    }
    assert!(refusal(&control_plane, "JsonWebKeySet", &long, json!({})).await.contains("write spec.set"));

    // What cannot change.
    let original = json!({ "set": "shop.a", "keys": [{ "name": "a", "generate": generate }] });
    let object = |spec: &Value| json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "metadata": { "name": "good", "namespace": "shop" }, "spec": spec });
    control_plane.apply(object(&original)).await.expect("accepted");
    for (spec, sentence) in [
        (with(original.clone(), "set", "shop.b".into()), "set cannot change from shop.a"),
        (json!({ "keys": original["keys"] }), "set cannot change from shop.a"),
        (with(original.clone(), "adminApiRef", json!({ "name": "other" })), "adminApiRef cannot change"),
        (
            with(original.clone(), "keys", json!([{ "name": "a", "generate": { "alg": "ES384" } }])),
            "generate cannot change: add an entry with another name",
        ),
    ] {
        let message = refusal(&control_plane, "JsonWebKeySet", "good", spec.clone()).await;
        assert!(message.contains(sentence), "{spec}: {message}");
    }
    let found: Value = serde_json::to_value(control_plane.apply(object(&original)).await.expect("unchanged")).expect("JSON");
    assert_eq!(found["status"]["observedGeneration"], -1, "a fresh resource is never current");
    assert_eq!(found["spec"], original, "no defaults in the spec");

    let url = "http://hydra-admin.ory:4445";
    let everybody = || json!({ "all": true });
    let rule = |namespaces: Value, set: &str| json!({ "url": url, "access": [{ "namespaces": namespaces, "sets": [set] }] });
    for (spec, sentence) in [
        (json!({ "url": url }), "spec.access"),
        (json!({ "url": "ftp://x", "access": [] }), "url must be scheme, host and port"),
        (json!({ "url": "http://user:pass@x", "access": [] }), "url must be scheme, host and port"),
        (json!({ "url": "http://x/admin", "access": [] }), "a path belongs in pathPrefix"),
        (
            json!({ "url": url, "tls": { "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" } }, "access": [] }),
            "tls requires a url that begins with https://",
        ),
        (json!({ "url": url, "timeout": "1 day", "access": [] }), "timeout must be numbers with h, m, s or ms"),
        (json!({ "url": url, "access": [{ "sets": [] }] }), "sets"),
        (json!({ "url": url, "timeout": "0s", "access": [] }), "timeout must be at least 1s"),
        (json!({ "url": url, "resyncInterval": "1ms", "access": [] }), "resyncInterval must be at least 1s"),
        (json!({ "url": url, "access": [{ "sets": ["a"] }] }), "namespaces: Required value"),
        (rule(json!({}), "a"), "write all: true for every namespace"),
        (rule(json!({ "all": true, "names": ["a"] }), "a"), "exactly one of names, selector and all"),
        (rule(json!({ "all": false }), "a"), "all must be true or absent"),
        (rule(json!({ "selector": {} }), "a"), "selector must not be empty"),
        (rule(json!({ "selector": { "matchLabels": {} } }), "a"), "selector must not be empty"),
        (
            rule(json!({ "selector": { "matchExpressions": [{ "key": "team", "operator": "NotIn" }] } }), "a"),
            "values must not be empty with the operators In and NotIn",
        ),
        (
            rule(json!({ "selector": { "matchExpressions": [{ "key": "team", "operator": "Exists", "values": ["a"] }] } }), "a"),
            "values must not be empty with the operators In and NotIn",
        ),
        (rule(everybody(), "*"), "must be a set id in which {namespace} may be a whole segment"),
        (rule(everybody(), "pay*"), "must be a set id in which {namespace} may be a whole segment"),
        (rule(everybody(), "Hydra.*"), "hydra.* is refused"),
        (json!({ "url": url, "setPrefix": "prod", "access": [] }), "setPrefix"),
        (json!({ "url": url, "limits": { "requestsPerSecond": 0 }, "access": [] }), "requestsPerSecond"),
        (json!({ "url": url, "auth": {}, "access": [] }), "auth must have exactly one of"),
        (
            json!({ "url": url, "auth": { "basic": { "secretRef": { "name": "a" } }, "bearerToken": { "secretRef": { "name": "a" } } }, "access": [] }),
            "auth must have exactly one of",
        ),
        (
            json!({ "url": url, "auth": { "header": { "name": "Host", "secretRef": { "name": "a" } } }, "access": [] }),
            "must not be a header that HTTP itself uses",
        ),
        (
            json!({ "url": url, "auth": { "clientCredentials": { "tokenUrl": "http://sso/token", "secretRef": { "name": "a" } } }, "access": [] }),
            "tokenUrl must be an https URL",
        ),
        (json!({ "url": url, "forwardedProto": "gopher", "access": [] }), "forwardedProto"),
        (json!({ "url": url, "limits": { "generations": 0 }, "access": [] }), "generations"),
        (json!({ "url": url, "limits": { "minRotationInterval": "1s" }, "access": [] }), "minRotationInterval must be at least 10s"),
        (json!({ "url": url, "pathPrefix": "admin/", "access": [] }), "pathPrefix"),
    ] {
        let message = refusal(&control_plane, "AdminApi", "bad", spec.clone()).await;
        assert!(message.contains(sentence), "{spec}: {message}");
    }

    // What cannot change.
    let api = |spec: Value| json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": "good" }, "spec": spec });
    control_plane.apply(api(json!({ "url": url, "setPrefix": "prod-eu:", "access": [] }))).await.expect("accepted");
    for spec in [json!({ "url": url, "access": [] }), json!({ "url": url, "setPrefix": "prod-us:", "access": [] })] {
        let message = refusal(&control_plane, "AdminApi", "good", spec).await;
        assert!(message.contains("setPrefix cannot change"), "{message}");
    }
}
