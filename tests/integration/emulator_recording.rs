//! The emulator answers like the Hydra that was recorded.
//!
//! With `JWK_OPERATOR_TEST_ADMIN_URL` the same cases are sent to a real one, under ids that no other run uses.

use std::fmt::Write as _;

use jwk_operator::hydra::emulator::{Emulator, EmulatorOptions};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{raw_http, recorded};

const CASES: &str = include_str!("../data/hydra/cases.json");
const RECORDING: &str = include_str!("../data/hydra/recording.json");

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_answered_as_recorded() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    let recording: Vec<Value> = serde_json::from_str(RECORDING).expect("recording");
    assert_eq!(cases.len(), 40);
    recorded::hold_to(&cases, &recording).await;
}

#[tokio::test]
async fn members_are_written_in_the_order_of_the_recording() {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts");
    for (alg, order) in
        [("ES256", "use,kty,kid,crv,alg,x,y,d,"), ("EdDSA", "use,kty,kid,crv,alg,x,d,"), ("PS256", "use,kty,kid,alg,n,e,d,p,q,dp,dq,qi,")]
    {
        let recorded: Vec<Members> = serde_json::from_str(RECORDING).expect("recording");
        let recorded = recorded.iter().any(|case| case.0.contains(&format!("body,keys,{order}")));
        assert!(recorded, "{order}");
        let body = format!(r#"{{"alg":"{alg}"}}"#);
        let answer = raw_http::send(emulator.url(), "POST", &format!("/admin/keys/{alg}"), Some(body.as_bytes())).await.expect("an answer");
        let members: Members = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(members.0, format!("keys,{order}"));
    }
}

/// The names of all members, in the order of the text, each followed by a comma.
struct Members(String);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = String;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
                let mut names = String::new();
                while let Some(name) = map.next_key::<String>()? {
                    let below = map.next_value::<Members>()?;
                    let _ = write!(names, "{name},{}", below.0);
                }
                Ok(names)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
                let mut names = String::new();
                while let Some(below) = list.next_element::<Members>()? {
                    names.push_str(&below.0);
                }
                Ok(names)
            }
            fn visit_str<E>(self, _: &str) -> Result<String, E> {
                Ok(String::new())
            }
            fn visit_u64<E>(self, _: u64) -> Result<String, E> {
                Ok(String::new())
            }
            fn visit_bool<E>(self, _: bool) -> Result<String, E> {
                Ok(String::new())
            }
            fn visit_unit<E>(self) -> Result<String, E> {
                Ok(String::new())
            }
        }
        deserializer.deserialize_any(Names).map(Self)
    }
}
