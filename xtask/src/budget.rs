//! What the functions may weigh: `infra/size-budget.txt`, a name and bytes a line. A larger function starts more slowly.
//!
//! Promise: a function that has grown by more than a tenth, or has no line, fails the build and is named.

use anyhow::{Context, Result, ensure};

/// Where the budget stands.
pub(crate) const FILE: &str = "infra/size-budget.txt";

/// Compares built sizes with the budget's text.
pub(crate) fn keep(budget: &str, sizes: &[(&str, u64)]) -> Result<()> {
    let mut over = Vec::new();
    for (function, size) in sizes {
        let allowed = line(budget, function)?;
        if size * 10 > allowed * 11 {
            over.push(format!("`{function}` has {size} bytes, more than 10 % over its budget of {allowed}"));
        }
    }
    ensure!(over.is_empty(), "{}; find out what came in, and take it out or raise its line in {FILE}", over.join(", "));
    Ok(())
}

fn line(budget: &str, function: &str) -> Result<u64> {
    let lines = budget.lines().filter(|line| !line.starts_with('#'));
    let found = lines.filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == function);
    let (_, bytes) = found.with_context(|| format!("`{function}` has no line in {FILE}; add one with its size in bytes"))?;
    bytes.trim().parse().with_context(|| format!("`{bytes}` of `{function}` in {FILE} is not a number of bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: &str = "# bytes\ningest 1000\nsender  2000\n";

    #[test]
    fn up_to_a_tenth_more_is_within_the_budget() {
        assert!(keep(BUDGET, &[("ingest", 1100), ("sender", 1)]).is_ok());
    }

    #[test]
    fn more_than_a_tenth_over_fails_and_says_who_how_much_and_what_to_do() {
        let error = keep(BUDGET, &[("ingest", 1000), ("sender", 2201)]).unwrap_err().to_string();
        assert!(error.contains("`sender` has 2201 bytes") && error.contains("budget of 2000"), "{error}");
        assert!(!error.contains("`ingest`") && error.contains("raise its line in infra/size-budget.txt"), "{error}");
    }

    #[test]
    fn a_function_without_a_line_fails() {
        let error = keep(BUDGET, &[("socket", 1)]).unwrap_err().to_string();
        assert!(error.contains("`socket` has no line"), "{error}");
    }

    #[test]
    fn a_line_that_is_no_number_is_named() {
        let error = keep("ingest 9 MB", &[("ingest", 1)]).unwrap_err().to_string();
        assert!(error.contains("`9 MB` of `ingest`"), "{error}");
    }
}
