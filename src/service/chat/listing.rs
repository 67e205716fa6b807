//! Long lists, in lines of bounded length.

use std::fmt::Display;

/// Appends `items` to `out`, as `-- HEAD: a, b, c (3)`: in as many lines as it takes for none to exceed `limit` bytes,
/// newline not counted. Each begins with the head, and the last one ends with the number. A line that one item alone makes too
/// long is too long.
pub(super) fn list<T: Display>(head: &str, items: &[T], limit: usize, out: &mut Vec<u8>) {
    let mut line = format!("-- {head}:");
    let empty = line.len();
    for (n, item) in items.iter().enumerate() {
        let item = item.to_string();
        let comma = usize::from(n + 1 < items.len());
        if line.len() > empty && line.len() + 1 + item.len() + comma > limit {
            finish(&mut line, empty, out);
        }
        line.push(' ');
        line.push_str(&item);
        if comma > 0 {
            line.push(',');
        }
    }
    let count = format!(" ({})", items.len());
    if line.len() > empty && line.len() + count.len() > limit {
        finish(&mut line, empty, out);
    }
    line.push_str(&count);
    finish(&mut line, empty, out);
}

fn finish(line: &mut String, empty: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
    line.truncate(empty);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(items: &[&str], limit: usize) -> String {
        let mut out = Vec::new();
        list("in den", items, limit, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_fits_is_one_line() {
        let line = "-- in den: ann, bob, cy (3)";
        assert_eq!(
            listed(&["ann", "bob", "cy"], line.len()),
            format!("{line}\n")
        );
        assert_eq!(listed(&[], 80), "-- in den: (0)\n");
    }

    #[test]
    fn no_line_exceeds_the_limit_unless_one_name_does_and_nobody_is_left_out() {
        let items = ["ann", "bob", "cy", "d", "eleonore", "f"];
        for limit in 0..80 {
            let text = listed(&items, limit);
            let mut found = Vec::new();
            for line in text.lines() {
                let rest = line.strip_prefix("-- in den: ").unwrap();
                let names = rest.split(' ').map(|name| name.trim_end_matches(','));
                let names: Vec<_> = names.filter(|name| !name.starts_with('(')).collect();
                assert!(line.len() <= limit || names.len() <= 1, "{limit}: {line}");
                found.extend(names);
            }
            assert_eq!(found, items, "{limit}: {text}");
            assert!(text.ends_with(" (6)\n"), "{limit}: {text}");
        }
    }
}
