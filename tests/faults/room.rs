//! A server that is short of what its model takes for a client: memory for a stack, bits in an `fd_set`.

use crate::child::{Serving, limited, serve};
use crate::crowd::Crowd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_thread_that_cannot_be_started_costs_its_client_only() {
    // 2 GiB of address space: room for a few stacks of 512 MiB.
    let args = serve("echo --model thread --stack-size 512MiB");
    let server = Serving::of(limited("-v 2097152", &args));
    let mut crowd = Crowd::default();
    crowd.come(server.addr, 8);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(
        served >= 1 && refused >= 3,
        "{served} served, {refused} refused"
    );
    crowd.are_still_served();
    crowd.were_told("error: server could not start a thread for you");
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    crowd.are_still_served();
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}

#[test]
fn a_descriptor_past_the_end_of_an_fd_set_costs_its_client_only() {
    const CLIENTS: usize = 1_060;
    const NEEDED: u64 = 1_200;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < NEEDED) {
        eprintln!("skipped: it takes {NEEDED} descriptors, and ulimit -Hn allows {limit:?}");
        return;
    }
    if limit.current.is_some_and(|now| now < NEEDED) {
        let raised = Rlimit {
            current: Some(NEEDED),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
    let server = Serving::start("echo --model select");
    let mut crowd = Crowd::default();
    crowd.come(server.addr, CLIENTS);
    let (served, refused) = (crowd.served.len(), crowd.refused.len());
    assert!(served < 1_024 && served > 1_000, "{served} served");
    assert_eq!(refused, CLIENTS - served);
    for line in &crowd.refused {
        let number = line
            .strip_prefix("error: descriptor ")
            .and_then(|rest| rest.strip_suffix(" is out of select's reach: FD_SETSIZE is 1024"))
            .and_then(|number| number.parse::<u32>().ok());
        assert!(number.is_some_and(|number| number >= 1_024), "{line}");
    }
    crowd.are_still_served();
    crowd.leave(1);
    crowd.come_until_served(server.addr);
    let ended = server.drained();
    assert!(ended.err.contains(&crowd.counts()), "{}", ended.err);
}
