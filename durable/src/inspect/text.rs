//! Payloads as text for people.

use std::fmt::Write;

use crate::codec::{Bincode, Codec, Json};
use crate::payload::Payload;
use crate::wire::{Wire, decode};

/// The most bytes that are shown of a payload whose type is not known.
const SHOWN_BYTES: usize = 64;

/// Returns a payload as text in one line: JSON as it is, values of primitive types as JSON, and
/// other bytes as hexadecimal digits. [Control characters](escape) are escaped.
#[must_use]
pub fn payload_text(payload: &Payload) -> String {
    let text = match payload.codec.as_str() {
        Json::NAME => String::from_utf8(payload.bytes.clone()).ok(),
        Bincode::NAME => primitive_text(payload),
        _ => None,
    };
    text.map_or_else(|| bytes_text(&payload.bytes), |text| escape(&text))
}

fn primitive_text(payload: &Payload) -> Option<String> {
    fn text<T: Wire>(payload: &Payload) -> Option<String> {
        (payload.tag == T::TAG)
            .then(|| decode::<T>(payload).ok())?
            .and_then(|value| serde_json::to_string(&value).ok())
    }
    text::<String>(payload)
        .or_else(|| text::<u64>(payload))
        .or_else(|| text::<i64>(payload))
        .or_else(|| text::<u32>(payload))
        .or_else(|| text::<i32>(payload))
        .or_else(|| text::<u16>(payload))
        .or_else(|| text::<i16>(payload))
        .or_else(|| text::<u8>(payload))
        .or_else(|| text::<i8>(payload))
        .or_else(|| text::<f64>(payload))
        .or_else(|| text::<bool>(payload))
        .or_else(|| text::<()>(payload))
}

fn bytes_text(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes.iter().take(SHOWN_BYTES) {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    match bytes.len().saturating_sub(SHOWN_BYTES) {
        0 => text,
        more => format!("{text}... and {more} bytes more"),
    }
}

/// Returns a text without control characters, which would change a terminal: each is escaped as in
/// Rust, and so are characters that change the direction of what follows.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let is_direction =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || is_direction {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}
