//! The kernel's tables, read: text in, rows out. Nothing here looks at a system, and no text panics.
//!
//! A line that is not as the kernel writes it is an error and is not skipped: what it says might be the reason.

use super::findings::{Bound, Filter, Membership};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The rows of a table, or the line that is none.
pub(super) type Rows<T> = Result<Vec<T>, String>;

/// `/proc/net/igmp`: who joined which IPv4 group. A line for each interface, and indented below it one for each group.
pub(super) fn igmp(text: &str) -> Rows<Membership> {
    let mut rows = Vec::new();
    let mut on = None;
    for line in text.lines().skip(1) {
        let mut words = line.split_whitespace();
        let first = words.next();
        let row = if line.starts_with(char::is_whitespace) {
            on.and_then(|index| {
                Some(Membership {
                    index,
                    group: native_v4(first?)?.into(),
                    users: words.next()?.parse().ok()?,
                })
            })
        } else {
            on = first.and_then(|index| index.parse().ok());
            if on.is_some() {
                continue;
            }
            None
        };
        rows.push(row.ok_or_else(|| unreadable(line))?);
    }
    Ok(rows)
}

/// `/proc/net/igmp6`: the same for IPv6, a line for each interface and group, and no title.
pub(super) fn igmp6(text: &str) -> Rows<Membership> {
    each(text.lines(), |line| {
        let mut words = line.split_whitespace();
        Some(Membership {
            index: words.next()?.parse().ok()?,
            group: plain_v6(words.nth(1)?)?.into(),
            users: words.next()?.parse().ok()?,
        })
    })
}

/// `/proc/net/mcfilter` and `/proc/net/mcfilter6`: for which sources groups were joined, or not.
pub(super) fn mcfilter(text: &str) -> Rows<Filter> {
    each(text.lines().skip(1), |line| {
        let mut words = line.split_whitespace();
        // The name is cut to six characters; the number is not.
        let index = words.next()?.parse().ok()?;
        Some(Filter {
            index,
            group: filtered(words.nth(1)?)?,
            source: filtered(words.next()?)?,
            including: words.next()?.parse().ok()?,
        })
    })
}

/// `/proc/net/udp` and `/proc/net/udp6`: the sockets that are bound.
pub(super) fn udp(text: &str) -> Rows<Bound> {
    each(text.lines().skip(1), |line| {
        let mut words = line.split_whitespace();
        let addr = socket_addr(words.nth(1)?)?;
        let (_, waiting) = words.nth(2)?.split_once(':')?;
        let waiting = u64::from_str_radix(waiting, 16).ok()?;
        let uid = words.nth(2)?.parse().ok()?;
        let inode = words.nth(1)?.parse().ok()?;
        Some(Bound {
            addr,
            uid,
            inode,
            waiting,
            dropped: words.nth(2)?.parse().ok()?,
            program: None,
        })
    })
}

/// One counter of `/proc/net/netstat`: a line of names, and a line of numbers.
pub(super) fn netstat(text: &str, table: &str, counter: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(table));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == counter)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

/// The inode that a link in `/proc/PID/fd` names, if it is a socket's.
pub(super) fn socket_inode(link: &str) -> Option<u64> {
    let inode = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

fn each<'a, T>(
    lines: impl Iterator<Item = &'a str>,
    read: impl Fn(&'a str) -> Option<T>,
) -> Rows<T> {
    lines
        .map(|line| read(line).ok_or_else(|| unreadable(line)))
        .collect()
}

fn unreadable(line: &str) -> String {
    format!("this line of it is none that is known: {line:?}")
}

/// Written as the number that the kernel has in memory, so its bytes are in this machine's order.
fn native_v4(hex: &str) -> Option<Ipv4Addr> {
    Some(number(hex)?.to_ne_bytes().into())
}

/// Four of those.
fn native_v6(hex: &str) -> Option<Ipv6Addr> {
    let mut bytes = [0; 16];
    for (word, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
        word.copy_from_slice(&number(hex.get(at..at + 8)?)?.to_ne_bytes());
    }
    (hex.len() == 32).then(|| bytes.into())
}

/// Byte by byte, without colons.
fn plain_v6(hex: &str) -> Option<Ipv6Addr> {
    let bits = u128::from_str_radix(hex, 16).ok()?;
    (hex.len() == 32).then(|| bits.into())
}

/// `0xE0010102`, or an IPv6 address without colons.
fn filtered(text: &str) -> Option<IpAddr> {
    match text.strip_prefix("0x") {
        Some(hex) => Some(Ipv4Addr::from_bits(number(hex)?).into()),
        None => plain_v6(text).map(IpAddr::V6),
    }
}

fn number(hex: &str) -> Option<u32> {
    (hex.len() == 8)
        .then(|| u32::from_str_radix(hex, 16).ok())
        .flatten()
}

fn socket_addr(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = if ip.len() == 8 {
        native_v4(ip)?.into()
    } else {
        native_v6(ip)?.into()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests;
