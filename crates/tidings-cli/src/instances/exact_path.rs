//! A path in JSON, so that another process of this machine gets the same one: a text, or its bytes where it is no
//! UTF-8.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => text.serialize(serializer),
        #[cfg(unix)]
        None => {
            use std::os::unix::ffi::OsStrExt;
            path.as_os_str().as_bytes().serialize(serializer)
        }
        #[cfg(not(unix))]
        None => path.to_string_lossy().serialize(serializer),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(PathBuf),
    #[cfg(unix)]
    Bytes(Vec<u8>),
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    match Form::deserialize(deserializer)? {
        Form::Text(path) => Ok(path),
        #[cfg(unix)]
        Form::Bytes(bytes) => {
            use std::os::unix::ffi::OsStringExt;
            Ok(std::ffi::OsString::from_vec(bytes).into())
        }
    }
}
