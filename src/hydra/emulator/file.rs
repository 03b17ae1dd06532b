//! The content on disk, so that it outlives the process.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::Store;
use crate::jwk::JwkSet;

/// Puts what the file holds into the store. A missing file is an empty one.
pub(super) fn load(path: &Path, store: &mut Store) -> io::Result<()> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not a JSON object of JWK Sets");
    let sets: BTreeMap<String, JwkSet> = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    for (set, keys) in sets {
        store.replace(&set, keys.keys);
    }
    Ok(())
}

/// Writes all sets to a temporary file beside `path` and renames it, so that a crash leaves the old content or the new one.
pub(super) fn save(path: &Path, store: &Store) -> io::Result<()> {
    let sets: BTreeMap<&str, JwkSet> = store.sets().iter().map(|(set, keys)| (set.as_str(), JwkSet { keys: keys.clone() })).collect();
    let bytes = Zeroizing::new(serde_json::to_vec(&sets)?);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    // An older temporary file may have another mode.
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}
