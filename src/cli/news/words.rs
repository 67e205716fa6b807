//! Counts in words.

/// `1 line`, `2 lines`.
pub(super) fn some(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_all_others_are_plural() {
        let all = [0, 1, 2].map(|count| some(count, "line"));
        assert_eq!(all, ["0 lines", "1 line", "2 lines"]);
    }
}
