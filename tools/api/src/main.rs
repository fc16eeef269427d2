//! Lists the public API of a library, one item a line: `perennial-api FILE`. The file is the JSON
//! output of rustdoc.
//!
//! Blanket and auto trait impls are left out: they follow from the types. For an impl of a trait of
//! the standard library, only the head and the associated types are listed: the trait defines its
//! methods.

use std::process::ExitCode;
use std::{env, error, io, io::Write};

fn main() -> ExitCode {
    match list() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "perennial-api: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Box<dyn error::Error>> {
    let file = env::args_os().nth(1).ok_or("usage: perennial-api FILE")?;
    let api = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    let mut out = io::stdout().lock();
    let mut is_in_std_impl = false;
    for item in api.items() {
        let line = item.to_string();
        let is_method = line.starts_with("pub fn ");
        if !is_method {
            is_in_std_impl = is_head_of_std_impl(&line) || is_in_std_impl && line.starts_with("pub type ");
        }
        if !(is_method && is_in_std_impl) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Returns `true` for a line such as `impl<T> core::clone::Clone for krate::Type<T>`.
fn is_head_of_std_impl(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("impl") else { return false };
    let roots = ["core::", "alloc::", "std::"];
    let is_std = |text: &str| roots.iter().any(|root| text.starts_with(root));
    let mut depth = 0;
    // The trait follows the type parameters, if there are any.
    let trait_at = rest.char_indices().find(|&(at, letter)| {
        depth += match letter {
            '<' => 1,
            '>' if !rest[..at].ends_with('-') => -1,
            _ => 0,
        };
        depth == 0 && letter == ' '
    });
    trait_at.is_some_and(|(at, _)| is_std(&rest[at + 1..])) && line.contains(" for ")
}

#[cfg(test)]
mod tests {
    use super::is_head_of_std_impl;

    #[test]
    fn heads_of_impls_of_std_traits_are_told_from_others() {
        for head in [
            "impl core::clone::Clone for krate::Type",
            "impl<T: core::clone::Clone> core::clone::Clone for krate::Type<T>",
            "impl<F: core::ops::function::Fn() -> u8> std::error::Error for krate::Type<F>",
        ] {
            assert!(is_head_of_std_impl(head), "{head}");
        }
        for line in [
            "impl<T: core::clone::Clone> krate::Type<T>",
            "impl<M: core::marker::Send> krate::Whereis for core::option::Option<M>",
            "pub fn krate::implement(core::option::Option<u8>)",
        ] {
            assert!(!is_head_of_std_impl(line), "{line}");
        }
    }
}
