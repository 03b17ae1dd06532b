//! The program as it is released.

use std::{path::PathBuf, process::Command};

/// The program that the image has, built if it is not there.
pub fn program_as_released() -> PathBuf {
    let built = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/hack/image-root")).output().expect("bash");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let folder = PathBuf::from(String::from_utf8_lossy(&built.stdout).lines().last().expect("a folder"));
    let files = std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["jwk-operator"]);
    folder.join("jwk-operator")
}
