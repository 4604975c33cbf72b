//! What a person hands over: as an argument, from standard input, out of a file.

use std::{
    fs,
    io::{Read, stdin},
};

use anyhow::{Context, Result};
use serde_json::Value;

/// The argument itself, or standard input for `-`.
pub(crate) fn text(argument: String) -> Result<String> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("standard input is not UTF-8 text")?;
    Ok(text)
}

/// The argument itself, standard input for `-`, or a file for `@file`.
pub(crate) fn whole(argument: String) -> Result<String> {
    match argument.strip_prefix('@') {
        Some(file) => fs::read_to_string(file).with_context(|| format!("`{file}` cannot be read")),
        None => text(argument),
    }
}

/// JSON, likewise.
pub(crate) fn json(argument: String) -> Result<Value> {
    serde_json::from_str(&whole(argument)?).context("this is not JSON")
}
