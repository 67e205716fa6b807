//! [`Message`]: bytes that were encoded once and are shared by everyone they are posted to.

use std::sync::Arc;

/// Immutable bytes on their way to one or more clients.
///
/// Cloning counts a reference up; the bytes are never copied again after they were encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Arc<[u8]>);

impl Message {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}
