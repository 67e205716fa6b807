//! Tables as the kernel writes them, and as it does not.

use super::*;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// As the kernel prints an address that it has in memory.
fn native(ip: &str) -> String {
    let bytes = match ip.parse().expect("an address") {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.chunks_exact(4).map(|word| {
        let word = u32::from_ne_bytes(word.try_into().expect("four bytes"));
        format!("{word:08X}")
    });
    words.collect()
}

#[test]
fn members_are_read_with_their_interface() {
    let text = format!(
        "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
         1\tlo        :     1      V3\n\t\t\t\t{}     1 0:00000000\t\t0\n\
         4\teth0      :     2      V3\n\t\t\t\t{}     3 0:00000000\t\t0\n\t\t\t\t{}     1 0:00000000\t\t0\n",
        native("224.0.0.1"),
        native("224.1.1.2"),
        native("224.0.0.1"),
    );
    let rows = igmp(&text).expect("as the kernel writes it");
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.index, row.group, row.users))
        .collect();
    let expected = [
        (1, ip("224.0.0.1"), 1),
        (4, ip("224.1.1.2"), 3),
        (4, ip("224.0.0.1"), 1),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn members_of_ipv6_groups_are_read() {
    let text = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                4    eth0            ff150000000000000000000000007777     2 00000004 0\n";
    let rows = igmp6(text).expect("as the kernel writes it");
    assert_eq!(
        (rows[1].index, rows[1].group, rows[1].users),
        (4, ip("ff15::7777"), 2)
    );
}

#[test]
fn sources_are_read_of_both_families() {
    let text = "Idx Device        MCA        SRC    INC    EXC\n\
                \x20 1     lo 0xe8010102 0x7f000001      2      0\n";
    let rows = mcfilter(text).expect("as the kernel writes it");
    let expected = Filter {
        index: 1,
        group: ip("232.1.1.2"),
        source: ip("127.0.0.1"),
        including: 2,
    };
    assert_eq!(rows, [expected]);
    let text = "Idx Device                Multicast Address                   Source Address    INC    EXC\n\
        \x20 4   eth0 ff350000000000000000000000007777 fd770000000000000000000000000001      1      0\n";
    let rows = mcfilter(text).expect("as the kernel writes it");
    assert_eq!(
        (rows[0].group, rows[0].source),
        (ip("ff35::7777"), ip("fd77::1"))
    );
}

#[test]
fn sockets_are_read_of_both_families() {
    let title = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
    for addr in ["224.1.1.2:7777", "[ff15::7777]:7777", "[::]:7777"] {
        let addr: SocketAddr = addr.parse().expect("an address");
        let text = format!(
            "{title} 1234: {}:1E61 {}:0000 07 00000000:00000300 00:00000000 00000000  1000        0 123456 2 0000000000000000 5\n",
            native(&addr.ip().to_string()),
            native("0.0.0.0"),
        );
        let rows = udp(&text).expect("as the kernel writes it");
        let expected = Bound {
            addr,
            uid: 1000,
            inode: 123_456,
            waiting: 0x300,
            dropped: 5,
            program: None,
        };
        assert_eq!(rows, [expected]);
    }
}

#[test]
fn a_counter_is_found_by_its_name() {
    let text = "TcpExt: SyncookiesSent IPReversePathFilter X\nTcpExt: 1 23 4\nIpExt: A\nIpExt: 9\n";
    assert_eq!(netstat(text, "TcpExt:", "IPReversePathFilter"), Some(23));
    assert_eq!(netstat(text, "TcpExt:", "Nothing"), None);
    assert_eq!(
        netstat("TcpExt: IPReversePathFilter\n", "TcpExt:", "X"),
        None
    );
}

#[test]
fn a_link_to_a_socket_is_told_from_others() {
    assert_eq!(socket_inode("socket:[123]"), Some(123));
    for other in ["/dev/null", "pipe:[123]", "socket:[]", "socket:[1", ""] {
        assert_eq!(socket_inode(other), None, "{other}");
    }
}

#[test]
fn a_line_that_is_not_the_kernels_is_told_and_not_skipped() {
    for (name, told) in [
        ("igmp", igmp("title\n1 lo :\n\t\tnonsense\n").map(|_| ())),
        ("igmp, no interface", igmp("title\nx\n").map(|_| ())),
        ("igmp6", igmp6("nonsense\n").map(|_| ())),
        ("mcfilter", mcfilter("title\nnonsense\n").map(|_| ())),
        ("udp", udp("title\nnonsense\n").map(|_| ())),
    ] {
        let told = told.expect_err(name);
        assert!(told.contains("none that is known"), "{name}: {told}");
    }
}

/// Like a table's, with whatever in it.
fn lines() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[0-9A-Fa-f]{8}",
        "[0-9a-f]{32}",
        "0x[0-9a-f]{8}",
        "[0-9A-F]{8}:[0-9A-F]{4}",
        "[0-9A-F]{32}:[0-9A-F]{4}",
        "[0-9]{1,20}",
        "\\PC{0,6}",
        Just(":".to_owned()),
    ];
    let line = (0_usize..2, proptest::collection::vec(word, 0..14))
        .prop_map(|(indent, words)| "\t".repeat(indent) + &words.join(" "));
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

fn read_all(text: &str) {
    let _ = igmp(text);
    let _ = igmp6(text);
    let _ = mcfilter(text);
    let _ = udp(text);
    let _ = netstat(text, "TcpExt:", "X");
    let _ = socket_inode(text);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        read_all(&text);
    }

    #[test]
    fn no_table_panics(text in lines()) {
        read_all(&text);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn every_membership_that_is_written_is_read(rows: Vec<(u32, u32, u32)>) {
        use std::fmt::Write;
        let mut text = "title\n".to_owned();
        for (index, group, users) in &rows {
            writeln!(text, "{index}\tx : 1 V3\n\t\t{group:08X} {users} 0:0\t\t0").expect("a string");
        }
        let read = igmp(&text).expect("as the kernel writes it");
        let read: Vec<_> = read.iter().map(|row| {
            let IpAddr::V4(group) = row.group else { panic!("of IPv4") };
            (row.index, u32::from_ne_bytes(group.octets()), row.users)
        }).collect();
        prop_assert_eq!(read, rows);
    }
}
