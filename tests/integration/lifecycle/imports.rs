//! Imports: which entry signs.

use super::{
    entries::{entry, generated},
    world::{End, World},
};

/// Who only publishes the key of somebody else asks for no signature; who names it as the signer does.
#[test]
fn a_public_key_as_the_only_import_needs_no_signer() {
    let mut spec = generated(&[]);
    spec.keys = vec![entry(4, 0)];
    let mut world = World::new(spec);
    let key = world.store.generator().generate("ES256").expect("a key");
    world.store_secret("unnamed", key.public_half().expect("a public half").as_jwk());
    world.pass(&[]);
    assert!(world.is_ready(), "{}", world.reason());
    assert_eq!(world.live().iter().map(|key| key.is_private()).collect::<Vec<_>>(), [false]);
    assert_eq!(world.pass(&[]), End::Done(0));
    world.edit(|spec| spec.signer = Some("unnamed".into()));
    world.pass(&[]);
    assert_eq!(world.reason(), "SignerCannotSign");
    // The private key in its place can sign.
    world.store_secret("unnamed", &key);
    world.pass(&[]);
    world.advance(24 * 3600 + 1);
    world.pass(&[]);
    assert!(world.is_ready() && world.live()[0].is_private(), "{}", world.reason());
}

/// A later import signs if the first one turns out to be a public key.
#[test]
fn of_two_imports_the_one_that_can_sign_is_the_signer() {
    let mut spec = generated(&[]);
    let first = entry(4, 0);
    let mut second = first.clone();
    second.name = "zebra".into();
    second.import.as_mut().expect("an import").secret_ref.name = "zebra".into();
    spec.keys = vec![first, second];
    let mut world = World::new(spec);
    let make = || world.store.generator().generate("ES256").expect("a key");
    let (public, private) = (make(), make());
    world.store_secret("unnamed", public.public_half().expect("a public half").as_jwk());
    world.store_secret("zebra", &private);
    world.pass(&[]);
    assert!(world.is_ready(), "{}", world.reason());
    let signer = world.status().signer.expect("a signer");
    assert!(signer.contains(".zebra."), "{signer}");
}
