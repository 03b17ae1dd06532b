//! Hydra's own sets, with which it signs tokens by itself: a key that cannot sign makes it fail for everybody.

use std::collections::BTreeMap;

use jwk_operator::{
    api::{Import, ImportSecretRef, KeyUse},
    jwk::{
        Jwk,
        import::{Wanted, read},
    },
    lifecycle::{SecretContent, SourceState, read_source},
};
use serde_json::{Value, json};

const SETS: [&str; 4] = ["hydra.openid.id-token", "hydra.jwt.access-token", "Hydra.OpenID.id-token", "HYDRA.JWT.ACCESS-TOKEN"];

fn pem(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import").join(name);
    std::fs::read(path).expect("a file")
}

/// The members of a key, with these instead.
fn jwk(name: &str, members: Value) -> Vec<u8> {
    let alg = name.starts_with("rsa").then_some("RS256");
    let key: Jwk = read(&pem(name), None, Wanted { alg, ..Wanted::default() }).expect("a key");
    let mut key = key.members().clone();
    key.remove("alg");
    key.remove("use");
    key.insert("kid".into(), "legacy".into());
    key.extend(members.as_object().expect("members").clone());
    Value::Object(key).to_string().into_bytes()
}

fn oct(members: Value) -> Vec<u8> {
    let mut key = json!({ "kty": "oct", "kid": "legacy", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" });
    key.as_object_mut().expect("an object").extend(members.as_object().expect("members").clone());
    key.to_string().into_bytes()
}

fn import(alg: Option<&str>, key_use: Option<KeyUse>) -> Import {
    let secret_ref = ImportSecretRef { name: "legacy".into(), key: None };
    Import { secret_ref, alg: alg.map(str::to_owned), key_use, kid: Some("legacy".into()) }
}

fn look(set: &str, document: Vec<u8>, import: &Import) -> Result<Jwk, SourceState> {
    let labels = BTreeMap::from([("jwk-operator.dev/import".to_owned(), "true".to_owned())]);
    let data = BTreeMap::from([("key".to_owned(), document)]);
    let content = SecretContent { labels: &labels, secret_type: None, data: &data };
    read_source(&set.into(), &"legacy".into(), import, content).map(|imported| imported.key)
}

#[test]
fn a_key_that_cannot_sign_is_refused_whatever_the_entry_says() {
    let plain = import(None, None);
    let says = |alg| import(Some(alg), None);
    let refused = [
        (oct(json!({ "alg": "HS256" })), plain.clone(), "symmetric"),
        (oct(json!({})), plain.clone(), "symmetric"),
        (oct(json!({})), says("HS512"), "symmetric"),
        (oct(json!({ "alg": "A256KW", "use": "enc" })), plain.clone(), "symmetric"),
        (jwk("ec-prime256v1.pkcs8.pem", json!({ "use": "enc", "alg": "ES256" })), plain.clone(), "use is not sig"),
        (jwk("ec-prime256v1.pkcs8.pem", json!({ "use": "enc" })), plain.clone(), "use is not sig"),
        (jwk("ec-prime256v1.pkcs8.pem", json!({ "use": "enc" })), import(None, Some(KeyUse::Sig)), "use is not sig"),
        (jwk("rsa.pkcs8.pem", json!({ "use": "tls", "alg": "RS256" })), plain.clone(), "use is not sig"),
        (pem("ec-prime256v1.pkcs8.pem"), import(Some("ES256"), Some(KeyUse::Enc)), "use is not sig"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RS256", "key_ops": ["decrypt"] })), plain.clone(), "key_ops"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RS256", "key_ops": ["verify"] })), plain.clone(), "key_ops"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RSA-OAEP" })), plain.clone(), "alg is not one that Hydra signs with"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RSA-OAEP-256" })), says("RS256"), "alg is not one that Hydra signs with"),
        (pem("rsa.pkcs8.pem"), says("RSA1_5"), "alg is not one that Hydra signs with"),
        (pem("rsa.pkcs8.pem"), says("rs256"), "alg is not one that Hydra signs with"),
        (pem("rsa.pkcs8.pem"), plain.clone(), "write import.alg"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "ES256" })), plain.clone(), "an EC key on P-256"),
        (jwk("ec-secp384r1.pkcs8.pem", json!({ "alg": "ES256" })), plain.clone(), "an EC key on P-256"),
        (jwk("ec-secp384r1.pkcs8.pem", json!({ "alg": "ECDH-ES" })), plain.clone(), "alg is not one that Hydra signs with"),
        (jwk("ec-secp384r1.pkcs8.pem", json!({ "alg": "made-up" })), plain.clone(), "alg is not one that Hydra signs with"),
        (pem("rsa-1024.pem"), says("RS256"), "1024 bits"),
    ];
    for (document, import, why) in refused {
        for set in SETS {
            match look(set, document.clone(), &import) {
                Err(SourceState::Invalid { why: told }) => {
                    assert!(told.starts_with("data key key: ") && told.contains(why), "{why} in {told}");
                }
                other => panic!("{set}, {why}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_key_that_can_sign_and_a_public_half_are_taken() {
    let says = |alg| import(Some(alg), None);
    let taken = [
        (pem("ec-prime256v1.pkcs8.pem"), import(None, None), "ES256"),
        (pem("ec-secp384r1.sec1.pem"), import(None, None), "ES384"),
        (pem("ec-secp521r1.pkcs8.pem"), import(None, Some(KeyUse::Sig)), "ES512"),
        (pem("ed25519.pkcs8.pem"), import(None, None), "EdDSA"),
        // Hydra signs with the older name of the same algorithm.
        (jwk("ed25519.pkcs8.pem", json!({ "alg": "Ed25519" })), import(None, None), "EdDSA"),
        (pem("ed25519.pkcs8.pem"), says("Ed25519"), "EdDSA"),
        (pem("rsa.pkcs1.pem"), says("RS256"), "RS256"),
        (pem("rsa.pkcs8.pem"), says("PS512"), "PS512"),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RS384", "use": "sig", "key_ops": ["sign", "verify"] })), import(None, None), "RS384"),
        // Hydra signs with none of these, and a verifier may need them.
        (pem("rsa.public.pem"), says("RS256"), "RS256"),
    ];
    for (document, import, alg) in taken {
        for set in SETS {
            let key = look(set, document.clone(), &import).expect(alg);
            assert_eq!((key.alg(), key.key_use()), (Some(alg), Some("sig")));
        }
    }
}

#[test]
fn other_sets_take_what_their_readers_understand() {
    let documents = [
        (oct(json!({ "alg": "HS256" })), import(None, None)),
        (jwk("rsa.pkcs8.pem", json!({ "alg": "RSA-OAEP", "use": "enc" })), import(None, None)),
        (jwk("ec-secp384r1.pkcs8.pem", json!({ "alg": "made-up" })), import(Some("ES384"), None)),
    ];
    for (document, import) in documents {
        assert!(look("shop.payments", document, &import).is_ok());
    }
    // No reader understands it.
    let made_up = look("shop.payments", jwk("ec-secp384r1.pkcs8.pem", json!({ "alg": "made-up" })), &import(None, None));
    assert!(matches!(made_up, Err(SourceState::Invalid { why }) if why.contains("not a registered algorithm") && why.contains("ES384")));
}
