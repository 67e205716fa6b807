//! What is told of what was measured: the table, and `--json`.

use crate::lab::{output, report, text};

const SMALL: [&str; 7] = [
    "--clients=4",
    "--duration=50ms",
    "--models",
    "pool,select",
    "--syncs=mutex",
    "--services",
    "echo,chat",
];

#[test]
fn the_table_has_a_row_per_cell_and_no_control_characters() {
    let output = output(&[&SMALL[..], &["--rounds=1"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for cell in [
        ["echo", "pool", "mutex"],
        ["echo", "select", "mutex"],
        ["chat", "pool", "mutex"],
        ["chat", "select", "mutex"],
    ] {
        let rows = table
            .lines()
            .filter(|line| line.split_whitespace().take(3).eq(cell));
        assert_eq!(rows.count(), 1, "{cell:?} in {table}");
    }
    assert!(table.contains("--workers 4"), "{table}");
    let plan = text(&output.stderr);
    assert_eq!(plan, "4 cells x 1 round of 50ms: about 1s\n");
    let printed = table.chars().chain(plan.chars());
    assert!(printed.into_iter().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn json_is_one_report_with_every_round_in_it() {
    let output = output(&[&SMALL[..], &["--json", "--quiet", "--rounds=2"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["setup"]["clients"], 4);
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert!(row["messages_per_second"]["median"].as_f64().unwrap() > 0.0);
        assert_eq!(row["samples"].as_array().unwrap().len(), 2);
        assert_eq!((&row["lost"], &row["torn"]), (&0.into(), &0.into()));
    }
}

#[test]
fn idle_clients_are_told_with_what_they_leave_and_what_they_take() {
    let report = report(&[
        "--models=thread,pool,select,poll",
        "--clients=4",
        "--idle=0,300",
        "--rounds=2",
        "--stack-size=64KiB",
    ]);
    assert_eq!(report["setup"]["idle"], serde_json::json!([0, 300]));
    assert_eq!(report["setup"]["tuning"]["stack_size"], 65536);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        assert_eq!(row["service"], "echo");
        assert_eq!((&row["lost"], &row["torn"]), (&0.into(), &0.into()));
        if row["idle"] == 0 {
            assert!(row["kept"].is_null() && row["idle_client_bytes"].is_null());
            continue;
        }
        assert_eq!(row["idle"], 300);
        assert!(row["kept"]["median"].as_f64().unwrap() > 0.0, "{row}");
        let bytes = row["idle_client_bytes"]["median"].as_f64().unwrap();
        // A stack is a page at least, whether it was made for the client or before; one thread for all has none for each.
        let least = match row["model"].as_str().unwrap() {
            "thread" | "pool" => 4096.0,
            _ => 1.0,
        };
        assert!(bytes >= least, "{row}");
        assert!(bytes < 1e6, "{row}");
        for sample in row["samples"].as_array().unwrap() {
            assert!(sample["idle_client_bytes"].is_number(), "{sample}");
        }
    }
}

#[test]
fn stalled_clients_are_told_with_what_they_leave_to_the_others() {
    let args = [
        "--models=thread,select",
        "--fanouts=snapshot,queue,log",
        "--slow=drop-oldest",
        "--syncs=mutex",
        "--clients=4",
        "--talkers=2",
        "--stalled=1",
    ];
    let report = report(&[&args[..], &["--rounds=2"]].concat());
    assert_eq!(report["setup"]["stalled"], serde_json::json!([0, 1]));
    assert_eq!(report["setup"]["talkers"], 2);
    assert_eq!(report["setup"]["tuning"]["slow"], "drop-oldest");
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * 3 * 2);
    for row in rows {
        assert_eq!(row["service"], "chat");
        assert_eq!((&row["lost"], &row["torn"]), (&0.into(), &0.into()));
        for of_the_others in ["kept", "p99_times"] {
            let told = row[of_the_others]["median"].as_f64();
            assert_eq!(
                told.is_some_and(|times| times > 0.0),
                row["stalled"] == 1,
                "{row}"
            );
        }
    }
}

#[test]
fn columns_on_fan_outs_and_stalled_clients_are_there_when_some_are() {
    let args = [
        "--models=select",
        "--syncs=mutex",
        "--clients=2",
        "--duration=50ms",
    ];
    for (more, fanout, stalled) in [
        (&["--fanouts=log,queue"][..], true, false),
        (&["--stalled=1"], false, true),
        (&["--services=chat"], false, false),
    ] {
        let output = output(&[&args[..], &["--rounds=1"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        let header = table.lines().next().unwrap();
        for (title, there) in [
            ("fan-out", fanout),
            ("stalled", stalled),
            ("p99 x", stalled),
        ] {
            assert_eq!(header.contains(title), there, "{title} in {header}");
        }
        assert!(table.contains("Fan-out: log"), "{table}");
    }
}

#[test]
fn the_memory_of_all_processes_of_a_server_is_counted() {
    let report = report(&[
        "--models=process,prefork",
        "--clients=2",
        "--idle=0,6",
        "--rounds=1",
    ]);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        if row["idle"] == 6 {
            // Nothing of the kind is smaller.
            let bytes = row["idle_client_bytes"]["median"].as_f64().unwrap();
            assert!(bytes > 100_000.0, "{row}");
        }
    }
}

#[test]
fn columns_on_idle_clients_are_there_when_some_are() {
    let args = [
        "--models=select",
        "--clients=2",
        "--duration=50ms",
        "--rounds=1",
    ];
    for (idle, titles) in [("--idle=0,20", true), ("--idle=0", false)] {
        let output = output(&[&args[..], &[idle]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        let header = table.lines().next().unwrap();
        for title in ["idle", "kept", "B/idle"] {
            assert_eq!(header.contains(title), titles, "{title} in {header}");
        }
        assert_eq!(table.contains("VmRSS"), titles, "{table}");
    }
}
