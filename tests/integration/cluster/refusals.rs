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

/// A value that no answer may repeat.
const SECRET: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

/// Each of the named specs is refused with its sentence. All that are not are listed.
async fn each_is_refused(control_plane: &ControlPlane, kind: &str, object: &str, cases: Vec<(&str, Value, &str)>) {
    let mut failures = Vec::new();
    for (name, spec, sentence) in cases {
        let message = refusal(control_plane, kind, object, spec.clone()).await;
        if !message.contains(sentence) || message.contains(SECRET) {
            failures.push(format!("{name}: {spec}\n  expected: {sentence}\n  answered: {message}"));
        }
    }
    assert!(failures.is_empty(), "{} of {kind}:\n{}", failures.len(), failures.join("\n"));
}

/// What the API server answers.
async fn refusal(control_plane: &ControlPlane, kind: &str, name: &str, spec: Value) -> String {
    let mut metadata = json!({ "name": name });
    if kind == "JsonWebKeySet" {
        metadata["namespace"] = "shop".into();
    }
    let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec });
    match control_plane.apply(object.clone()).await {
        Ok(_) => "it was accepted".to_owned(),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_sentence() {
    let control_plane = ControlPlane::start().await;
    let generate = json!({ "alg": "ES256" });
    let keys = |entries: Value| json!({ "keys": entries });
    let long = "x".repeat(101);
    let cases: Vec<(&str, Value, &str)> = vec![
        (
            "a private exponent",
            keys(json!([{ "name": "p", "public": with(partner(), "d", SECRET.into()) }])),
            "this is a private key: remove d",
        ),
        (
            "other primes",
            keys(json!([{ "name": "p", "public": with(partner(), "oth", json!([{ "r": "x" }])) }])),
            "this is a private key: remove d",
        ),
        (
            "a symmetric key",
            keys(json!([{ "name": "p", "public": { "kid": "s", "kty": "oct", "k": SECRET } }])),
            "this is a private key: remove d",
        ),
        (
            "a symmetric key without its value",
            keys(json!([{ "name": "p", "public": { "kid": "s", "kty": "oct" } }])),
            "a symmetric key has no public half",
        ),
        (
            "generate beside public",
            keys(json!([{ "name": "p", "generate": generate, "public": partner() }])),
            "key \"p\" must have exactly one of generate, import and public",
        ),
        ("an entry without a key", keys(json!([{ "name": "p" }])), "key \"p\" must have exactly one of generate, import and public"),
        (
            "generate beside import",
            keys(json!([{ "name": "p", "generate": generate, "import": { "secretRef": { "name": "s" } } }])),
            "key \"p\" must have exactly one of generate, import and public",
        ),
        ("an import without a Secret", keys(json!([{ "name": "p", "import": {} }])), "secretRef"),
        (
            "an import that rotates",
            keys(json!([{ "name": "p", "import": { "secretRef": { "name": "s" } }, "rotation": { "interval": "24h" } }])),
            "an imported key is replaced when its Secret changes",
        ),
        (
            "a public key that rotates",
            keys(json!([{ "name": "p", "public": partner(), "rotation": { "retain": "24h" } }])),
            "does not rotate the public key of somebody else",
        ),
        (
            "an interval in days",
            keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "30d" } }])),
            "write days as hours",
        ),
        (
            "an interval that is too short",
            keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "9s" } }])),
            "interval must be at least 10s",
        ),
        (
            "prepublish as long as the interval",
            keys(json!([{ "name": "p", "generate": generate, "rotation": { "interval": "1h", "prepublish": "1h" } }])),
            "prepublish 1h must be shorter than interval 1h",
        ),
        (
            "an imported kid twice",
            keys(
                json!([{ "name": "a", "import": { "secretRef": { "name": "s" }, "kid": "partner-1" } }, { "name": "b", "public": partner() }]),
            ),
            "two keys have the same kid",
        ),
        (
            "a kid that is revoked and listed",
            with(keys(json!([{ "name": "b", "public": partner() }])), "revoke", json!(["partner-1"])),
            "a kid must not be in both revoke and keys",
        ),
        (
            "a public kid twice",
            keys(json!([{ "name": "a", "public": partner() }, { "name": "b", "public": partner() }])),
            "two keys have the same kid",
        ),
        (
            "several signers",
            keys(json!([{ "name": "a", "generate": generate }, { "name": "b", "generate": generate }])),
            "several entries can sign: write signer",
        ),
        (
            "a public signer",
            with(keys(json!([{ "name": "a", "public": partner() }])), "signer", "a".into()),
            "signer \"a\" must be the name of a generate or import entry",
        ),
        ("a name in upper case", keys(json!([{ "name": "Upper", "generate": generate }])), "spec.keys[0].name"),
        ("an unknown algorithm", keys(json!([{ "name": "a", "generate": { "alg": "none" } }])), "Unsupported value: \"none\""),
        ("a slash in a set", json!({ "set": "a/b" }), "set \"a/b\" must consist of letters"),
        ("two dots in a set", json!({ "set": "a..b" }), "contain no .."),
        ("a staged set", json!({ "set": "a~next" }), "must consist of letters"),
        ("a set that is too long", json!({ "set": "x".repeat(201) }), "200"),
        (
            "a target twice",
            json!({ "publish": [{ "configMap": { "name": "a" } }, { "configMap": { "name": "a", "key": "b" } }] }),
            "two targets must not name the same object",
        ),
        (
            "two objects in one target",
            json!({ "publish": [{ "configMap": { "name": "a" }, "secret": { "name": "a" } }] }),
            "a target must have exactly one of configMap and secret",
        ),
        (
            "a type of the cluster",
            json!({ "publish": [{ "secret": { "name": "a", "type": "kubernetes.io/service-account-token" } }] }),
            "is reserved by the cluster",
        ),
        (
            "a layout without private keys",
            json!({ "publish": [{ "secret": { "name": "a", "layout": "Oathkeeper" } }] }),
            "layout requires content: Private",
        ),
        ("private keys in a ConfigMap", json!({ "publish": [{ "configMap": { "name": "a", "content": "Private" } }] }), "content"),
        (
            "a label of Argo CD",
            json!({ "publish": [{ "configMap": { "name": "a" }, "labels": { "argocd.argoproj.io/secret-type": "cluster" } }] }),
            "labels must not use the prefixes",
        ),
        (
            "an annotation of the operator",
            json!({ "publish": [{ "configMap": { "name": "a" }, "annotations": { "jwk-operator.dev/set": "x" } }] }),
            "annotations must not use the prefixes",
        ),
        (
            "too many keys",
            keys(
                (0..33)
                    .map(|index| json!({ "name": format!("k{index}"), "public": with(partner(), "kid", format!("kid-{index}").into()) }))
                    .collect(),
            ),
            "32",
        ),
    ];
    each_is_refused(&control_plane, "JsonWebKeySet", "bad", cases).await;
    assert!(refusal(&control_plane, "JsonWebKeySet", &long, json!({})).await.contains("write spec.set"));

    // What cannot change.
    let original = json!({ "set": "shop.a", "keys": [{ "name": "a", "generate": generate }] });
    let object = |spec: &Value| json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "metadata": { "name": "good", "namespace": "shop" }, "spec": spec });
    control_plane.apply(object(&original)).await.expect("accepted");
    let changes = vec![
        ("another set", with(original.clone(), "set", "shop.b".into()), "set cannot change from shop.a"),
        ("the default set", json!({ "keys": original["keys"] }), "set cannot change from shop.a"),
        ("another AdminApi", with(original.clone(), "adminApiRef", json!({ "name": "other" })), "adminApiRef cannot change"),
        (
            "another algorithm",
            with(original.clone(), "keys", json!([{ "name": "a", "generate": { "alg": "ES384" } }])),
            "generate cannot change: add an entry with another name",
        ),
    ];
    each_is_refused(&control_plane, "JsonWebKeySet", "good", changes).await;
    let found: Value = serde_json::to_value(control_plane.apply(object(&original)).await.expect("unchanged")).expect("JSON");
    assert_eq!(found["status"]["observedGeneration"], -1, "a fresh resource is never current");
    assert_eq!(found["spec"], original, "no defaults in the spec");

    let url = "http://hydra-admin.ory:4445";
    let everybody = || json!({ "all": true });
    let rule = |namespaces: Value, set: &str| json!({ "url": url, "access": [{ "namespaces": namespaces, "sets": [set] }] });
    let admin_apis = vec![
        ("no access", json!({ "url": url }), "spec.access"),
        ("another scheme", json!({ "url": "ftp://x", "access": [] }), "url must be scheme, host and port"),
        ("credentials in the URL", json!({ "url": "http://user:pass@x", "access": [] }), "url must be scheme, host and port"),
        ("a path in the URL", json!({ "url": "http://x/admin", "access": [] }), "a path belongs in pathPrefix"),
        (
            "tls over http",
            json!({ "url": url, "tls": { "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" } }, "access": [] }),
            "tls requires a url that begins with https://",
        ),
        (
            "a timeout that is no duration",
            json!({ "url": url, "timeout": "1 day", "access": [] }),
            "timeout must be numbers with h, m, s or ms",
        ),
        ("no namespaces and no sets", json!({ "url": url, "access": [{ "sets": [] }] }), "sets"),
        ("no timeout", json!({ "url": url, "timeout": "0s", "access": [] }), "timeout must be at least 1s"),
        ("a resync that is too short", json!({ "url": url, "resyncInterval": "1ms", "access": [] }), "resyncInterval must be at least 1s"),
        ("no namespaces", json!({ "url": url, "access": [{ "sets": ["a"] }] }), "namespaces: Required value"),
        ("nobody", rule(json!({}), "a"), "write all: true for every namespace"),
        ("all and some", rule(json!({ "all": true, "names": ["a"] }), "a"), "exactly one of names, selector and all"),
        ("not all", rule(json!({ "all": false }), "a"), "all must be true or absent"),
        ("an empty selector", rule(json!({ "selector": {} }), "a"), "selector must not be empty"),
        ("a selector without labels", rule(json!({ "selector": { "matchLabels": {} } }), "a"), "selector must not be empty"),
        (
            "NotIn without values",
            rule(json!({ "selector": { "matchExpressions": [{ "key": "team", "operator": "NotIn" }] } }), "a"),
            "values must not be empty with the operators In and NotIn",
        ),
        (
            "Exists with values",
            rule(json!({ "selector": { "matchExpressions": [{ "key": "team", "operator": "Exists", "values": ["a"] }] } }), "a"),
            "values must not be empty with the operators In and NotIn",
        ),
        ("every set", rule(everybody(), "*"), "must be a set id in which {namespace} may be a whole segment"),
        ("a wildcard in a word", rule(everybody(), "pay*"), "must be a set id in which {namespace} may be a whole segment"),
        ("Hydra's own sets", rule(everybody(), "Hydra.*"), "hydra.* is refused"),
        ("a prefix without an end", json!({ "url": url, "setPrefix": "prod", "access": [] }), "setPrefix"),
        ("no requests", json!({ "url": url, "limits": { "requestsPerSecond": 0 }, "access": [] }), "requestsPerSecond"),
        ("no credentials in auth", json!({ "url": url, "auth": {}, "access": [] }), "auth must have exactly one of"),
        (
            "two kinds of credentials",
            json!({ "url": url, "auth": { "basic": { "secretRef": { "name": "a" } }, "bearerToken": { "secretRef": { "name": "a" } } }, "access": [] }),
            "auth must have exactly one of",
        ),
        (
            "a header of HTTP",
            json!({ "url": url, "auth": { "header": { "name": "Host", "secretRef": { "name": "a" } } }, "access": [] }),
            "must not be a header that HTTP itself uses",
        ),
        (
            "a token URL over http",
            json!({ "url": url, "auth": { "clientCredentials": { "tokenUrl": "http://sso/token", "secretRef": { "name": "a" } } }, "access": [] }),
            "tokenUrl must be an https URL",
        ),
        ("an unknown protocol", json!({ "url": url, "forwardedProto": "gopher", "access": [] }), "forwardedProto"),
        ("no generations", json!({ "url": url, "limits": { "generations": 0 }, "access": [] }), "generations"),
        (
            "rotations that are too frequent",
            json!({ "url": url, "limits": { "minRotationInterval": "1s" }, "access": [] }),
            "minRotationInterval must be at least 10s",
        ),
        ("a slash at the end of the prefix", json!({ "url": url, "pathPrefix": "admin/", "access": [] }), "pathPrefix"),
    ];
    each_is_refused(&control_plane, "AdminApi", "bad", admin_apis).await;

    // What cannot change.
    let api = |spec: Value| json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": "good" }, "spec": spec });
    control_plane.apply(api(json!({ "url": url, "setPrefix": "prod-eu:", "access": [] }))).await.expect("accepted");
    for spec in [json!({ "url": url, "access": [] }), json!({ "url": url, "setPrefix": "prod-us:", "access": [] })] {
        let message = refusal(&control_plane, "AdminApi", "good", spec).await;
        assert!(message.contains("setPrefix cannot change"), "{message}");
    }
}
