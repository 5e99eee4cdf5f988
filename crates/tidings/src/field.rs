//! What a field of an event may hold: names and ids share a line with the field's name, so a line break
//! in one would start a field of its own (CWE-93).

/// A field of an event that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// It is empty.
    #[error("{field} is empty: omit it instead")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// It is too long.
    #[error("{field} of {bytes} bytes is too long: at most {limit} are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest that is allowed.
        limit: usize,
    },
    /// It holds a control character, such as a line break or NUL.
    #[error("{field} {value:?} holds the control character {character:?} at byte {at}: remove it")]
    Control {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The character.
        character: char,
        /// Its offset in bytes.
        at: usize,
    },
    /// It is reserved by browsers.
    #[error("{field} {value:?} is reserved by browsers for the connection itself: choose another")]
    Reserved {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

/// The one check for every field that shares a line with its name.
pub(crate) fn check_field(
    field: &'static str,
    value: &str,
    limit: usize,
) -> Result<(), FieldError> {
    if value.is_empty() {
        return Err(FieldError::Empty { field });
    }
    if value.len() > limit {
        return Err(FieldError::TooLong {
            field,
            bytes: value.len(),
            limit,
        });
    }
    match value.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((at, character)) => Err(FieldError::Control {
            field,
            value: value.to_owned(),
            character,
            at,
        }),
    }
}
