//! The Python of `docs/multicast.md`, as it stands there, but for the port.

use crate::child::{Program, piped};
use crate::stage::{NewsFile, Port, is_here, receiver, sent, well};
use std::process::Command;

const PAGE: &str = include_str!("../../docs/multicast.md");
const NEWS: &str = "It rains in the north.\nThe bridge is closed.\nTea is at four.\n";

/// The one block of Python that has `mark` in it, running and listening. None where there is no Python.
fn listening(mark: &str, port: &Port) -> Option<Program> {
    if !is_here("python3") {
        return None;
    }
    let mut blocks = PAGE.split("```python\n").skip(1).filter_map(|rest| {
        let (block, _) = rest.split_once("```")?;
        block.contains(mark).then_some(block)
    });
    let block = blocks.next().expect("a block with it");
    assert_eq!(blocks.next(), None, "another block has {mark:?}, too");
    assert!(block.contains("7777"), "it names its port: {block}");
    let script = block.replace("7777", &port.number().to_string());
    let mut command = Command::new("python3");
    command.args(["-c", &script]);
    let program = Program::start(piped(command));
    program
        .out
        .until("that it listens", |out| out.contains("listen"));
    Some(program)
}

#[test]
fn one_send_a_line_reaches_a_thousand_receivers() {
    let port = Port::free();
    let Some(receivers) = listening("range(1000)", &port) else {
        return;
    };
    let args = format!("{} --rate 100/s --json", port.group());
    let report = well(sent(&args, &NewsFile::of(NEWS)));
    assert!(report.contains(r#""sent":3,"#), "{report}");
    let heard = well(receivers.ended());
    assert!(
        heard.ends_with("\n3000 lines heard, 3 different\n"),
        "{heard}"
    );
}

#[test]
fn a_socket_bound_to_the_port_alone_hears_a_group_that_it_did_not_join() {
    let port = Port::free().shared();
    let Some(leaky) = listening(r#"bind(("", 7777))"#, &port) else {
        return;
    };
    let other_group = port.other_group();
    let joined = receiver(&format!("{other_group} --count 1"));
    well(sent(&other_group, &NewsFile::of("for the other group\n")));
    well(joined.ended());
    let heard = well(leaky.ended());
    assert!(heard.ends_with("b'for the other group\\n'\n"), "{heard}");
}

#[test]
fn the_reader_of_headers_understands_what_is_sent() {
    let port = Port::free();
    let Some(reader) = listening("unpack_from", &port) else {
        return;
    };
    let args = format!("{} --rate 100/s --sequence --json", port.group());
    let report = well(sent(&args, &NewsFile::of(NEWS)));
    let heard = well(reader.ended());
    let lines: Vec<&str> = heard.lines().skip(1).collect();
    let expected = [
        ("0 0", r"b'It rains in the north.\n'"),
        ("0 1", r"b'The bridge is closed.\n'"),
        ("0 2", r"b'Tea is at four.\n'"),
        ("1 3", "b''"),
    ];
    assert_eq!(lines.len(), expected.len(), "{heard}");
    for (line, (numbers, news)) in lines.into_iter().zip(expected) {
        let (stream, rest) = line.split_once(' ').unwrap();
        assert!(report.contains(stream), "{stream} is not in {report}");
        assert!(rest.starts_with(numbers), "{line}");
        assert!(rest.ends_with(news), "{line}");
    }
}
