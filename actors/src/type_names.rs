//! Short type names for errors.

use std::fmt;

/// Displays a type name without module paths: `a::b::Request<c::Id>` as `Request<Id>`.
///
/// # Examples
///
/// ```
/// use perennial_actors::host::ShortTypeName;
///
/// let name = ShortTypeName(std::any::type_name::<Option<String>>());
/// assert_eq!(name.to_string(), "Option<String>");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ShortTypeName(pub &'static str);

impl fmt::Display for ShortTypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_of_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}' | '#');
        let mut rest = self.0;
        while let Some(next) = rest.chars().next() {
            let is_path = is_of_path(next);
            let end = rest.find(|c| is_of_path(c) != is_path).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            // `::` comes first where an associated type follows its trait.
            let last = part.rsplit_once("::").filter(|(before, _)| !before.is_empty());
            f.write_str(last.map_or(part, |(_, last)| last))?;
            rest = after;
        }
        Ok(())
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::ShortTypeName;

    #[test]
    fn paths_of_modules_are_left_out() {
        for (full, short) in [
            ("a::b::Msg", "Msg"),
            ("Msg", "Msg"),
            ("()", "()"),
            ("a::Reply<core::option::Option<b::c::Id>>", "Reply<Option<Id>>"),
            ("(a::A, &[b::B; 4])", "(A, &[B; 4])"),
            ("alloc::boxed::Box<dyn a::Job<u8> + core::marker::Send>", "Box<dyn Job<u8> + Send>"),
            ("<a::A as b::B>::Out", "<A as B>::Out"),
            ("a::run::{{closure}}", "{{closure}}"),
        ] {
            assert_eq!(ShortTypeName(full).to_string(), short, "of {full}");
        }
    }
}
