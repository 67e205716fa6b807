//! Hosts that are network namespaces: a few of them on a bridge, or two networks with a router between them. Nothing of it
//! touches the machine's own network, and all of it is gone when the test is.
#![allow(dead_code, reason = "each file uses its own part")]

use crate::child::{Ended, GUARDHOUSE, Program, piped};
use crate::common::wait_until;
use crate::stage::{listening, skip, well};
use std::path::Path;
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Namespaces, and what connects them. Dropping it removes them, after which nothing runs in them that the test still needs:
/// bind it before the programs that run in it.
pub(crate) struct Network {
    prefix: String,
    spaces: Vec<&'static str>,
}

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
const SWITCH: &str = "sw";
const ROUTER: &str = "r";

impl Network {
    /// Three hosts on a bridge: 10.77.0.1 to 3, `fd77::1` to 3 and `fe80::77:1` to 3, each by its `eth0`, with a route for groups
    /// and one for 255.255.255.255. The bridge copies everything to everybody.
    ///
    /// `None` where there can be no namespaces; it has printed why.
    pub(crate) fn on_a_bridge() -> Option<Self> {
        let mut network = Self::possible()?;
        network.add(SWITCH);
        let bridge = "link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0\n\
                      link set br0 up\n";
        network.ip(SWITCH, bridge);
        for (at, host) in HOSTS.into_iter().enumerate() {
            network.add(host);
            let number = at + 1;
            let pair = format!(
                "link add p{number} type veth peer name eth0 netns {}\n\
                 link set p{number} master br0 up\n",
                network.full(host)
            );
            network.ip(SWITCH, &pair);
            let host = network.host(number);
            host.address(
                "eth0",
                &format!("10.77.0.{number}"),
                &format!("fd77::{number}"),
            );
            host.ip("route add 224.0.0.0/4 dev eth0\nroute add 255.255.255.255/32 dev eth0\n");
        }
        for number in 1..=HOSTS.len() {
            network.usable(number);
        }
        Some(network)
    }

    /// Two networks and a router: host 1 is 10.77.0.1 at the router's `left` (10.77.0.254), host 2 10.77.1.2 at its `right`
    /// (10.77.1.254). It forwards what is for one host; for groups it needs a program.
    ///
    /// `None` where there can be no namespaces; it has printed why.
    pub(crate) fn with_a_router() -> Option<Self> {
        let mut network = Self::possible()?;
        network.add(ROUTER);
        for (number, side, v4, v6) in [
            (1, "left", "10.77.0", "fd77"),
            (2, "right", "10.77.1", "fd77:0:0:1"),
        ] {
            let host = HOSTS[number - 1];
            network.add(host);
            let host = network.full(host);
            let pair = format!("link add {side} type veth peer name eth0 netns {host}\n");
            network.ip(ROUTER, &pair);
            let router = network.router();
            router.address(side, &format!("{v4}.254"), &format!("{v6}::254"));
            let host = network.host(number);
            host.address(
                "eth0",
                &format!("{v4}.{number}"),
                &format!("{v6}::{number}"),
            );
            host.ip(&format!("route add default via {v4}.254"));
        }
        let router = network.router();
        let ended = router.run("sysctl", &["-w", "net.ipv4.ip_forward=1"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for (host, device) in [
            (network.host(1), "eth0"),
            (router, "left"),
            (router, "right"),
            (network.host(2), "eth0"),
        ] {
            host.wait_for(device);
        }
        Some(network)
    }

    fn possible() -> Option<Self> {
        if let Some(why) = impossible() {
            skip(why);
            return None;
        }
        Some(Self::empty())
    }

    fn empty() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            prefix: format!("guardhouse-{}-{count}", process::id()),
            spaces: Vec::new(),
        }
    }

    /// Host 1, 2 or 3.
    pub(crate) fn host(&self, number: usize) -> Host<'_> {
        self.space(HOSTS[number - 1])
    }

    /// The router, on a network that has one.
    pub(crate) fn router(&self) -> Host<'_> {
        self.space(ROUTER)
    }

    /// Pulls a host's cable, on the side of the bridge.
    pub(crate) fn cut(&self, number: usize) {
        self.ip(SWITCH, &format!("link set p{number} down"));
        wait_until("the loss of the link", || {
            self.host(number).link("eth0").contains("NO-CARRIER")
        });
    }

    /// Puts it back.
    pub(crate) fn mend(&self, number: usize) {
        self.ip(SWITCH, &format!("link set p{number} up"));
        self.usable(number);
    }

    fn usable(&self, number: usize) {
        self.host(number).wait_for("eth0");
        let port = format!("p{number}");
        let switch = self.space(SWITCH);
        wait_until("the bridge's port", || {
            switch.link(&port).contains("state forwarding")
        });
    }

    fn space(&self, name: &'static str) -> Host<'_> {
        assert!(self.spaces.contains(&name), "this network has no {name}");
        Host {
            network: self,
            name,
        }
    }

    fn add(&mut self, name: &'static str) {
        let added = ip(&["netns", "add", &self.full(name)], "");
        assert_eq!(added.as_deref(), Ok(""));
        self.spaces.push(name);
        self.ip(name, "link set lo up");
    }

    /// Runs `ip` in a namespace, a command on each of the `lines`.
    fn ip(&self, name: &str, lines: &str) {
        let done = ip(&["-n", &self.full(name), "-batch", "-"], lines);
        assert_eq!(done.as_deref(), Ok(""), "{name}: {lines}");
    }

    fn full(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.spaces.drain(..) {
            let name = format!("{}-{name}", self.prefix);
            if let Err(why) = ip(&["netns", "del", &name], "") {
                eprintln!("the namespace {name} stays: {why}");
            }
        }
    }
}

/// One of the namespaces.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    network: &'a Network,
    name: &'static str,
}

impl Host<'_> {
    /// `guardhouse` with these words as its arguments.
    pub(crate) fn guardhouse(&self, args: &str) -> Program {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.start(GUARDHOUSE, &args)
    }

    /// `news receive` with these words, once it listens.
    pub(crate) fn receiver(&self, args: &str) -> Program {
        listening(self.guardhouse(&format!("news receive {args}")))
    }

    /// Sends one line by `news send` with these words.
    pub(crate) fn say(&self, args: &str, line: &str) {
        let mut sender = self.guardhouse(&format!("news send {args} -"));
        sender.say(line);
        well(sender.ended());
    }

    /// Any program.
    pub(crate) fn start(&self, program: &str, args: &[&str]) -> Program {
        let mut command = Command::new("ip");
        // It becomes the program: signals and the exit code are the program's.
        command
            .args(["netns", "exec", &self.network.full(self.name), program])
            .args(args);
        Program::start(piped(command))
    }

    /// Any program, until it ends.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Ended {
        self.start(program, args).ended()
    }

    /// `ip` with a command on each of the `lines`, like `link set eth0 multicast off`.
    pub(crate) fn ip(&self, lines: &str) {
        self.network.ip(self.name, lines);
    }

    /// What `ip` says of a device.
    fn link(&self, device: &str) -> String {
        let space = self.network.full(self.name);
        let told = ip(&["-n", &space, "-d", "-o", "link", "show", device], "");
        told.unwrap_or_else(|why| panic!("{device} of {space}: {why}"))
    }

    /// No waiting for whether an address is taken already: the link's own is given, in place of one that the kernel makes.
    fn address(&self, device: &str, v4: &str, v6: &str) {
        let own = v6.rsplit_once(':').map_or(v6, |(_, own)| own);
        self.ip(&format!(
            "link set {device} addrgenmode none\n\
             addr add {v4}/24 brd + dev {device}\n\
             addr add {v6}/64 dev {device} nodad\n\
             addr add fe80::77:{own}/64 dev {device} nodad\n\
             link set {device} up\n"
        ));
    }

    fn wait_for(&self, device: &str) {
        wait_until("the link", || self.link(device).contains("state UP"));
        let space = self.network.full(self.name);
        let tentative = ["-n", &space, "-6", "addr", "show", "tentative"];
        wait_until("IPv6 addresses", || {
            ip(&tentative, "").is_ok_and(|told| told.is_empty())
        });
    }
}

/// Why there can be no namespaces here, with veth pairs and bridges; found out by making one.
pub(crate) fn impossible() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    let why = WHY.get_or_init(|| {
        let paths = std::env::var_os("PATH")?;
        if !std::env::split_paths(&paths).any(|path| Path::new(&path).join("ip").exists()) {
            return Some("it takes the command ip (iproute2), which is not here".to_owned());
        }
        let mut network = Network::empty();
        let space = network.full(SWITCH);
        if let Err(why) = ip(&["netns", "add", &space], "") {
            return Some(format!(
                "it takes network namespaces, which take root: {why}"
            ));
        }
        network.spaces.push(SWITCH);
        let lines = "link add br0 type bridge\nlink add p1 type veth peer name p2\n";
        let made = ip(&["-n", &space, "-batch", "-"], lines);
        let why = made.err()?;
        Some(format!("it takes bridges and veth pairs: {why}"))
    });
    why.as_deref()
}

/// What `ip` says, or what went wrong.
fn ip(args: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new("ip");
    command.args(args);
    let mut program = Program::start(piped(command));
    program.say(input);
    let ended = program.ended();
    if ended.code == Some(0) {
        Ok(ended.out)
    } else {
        Err(ended.err.trim_end().to_owned())
    }
}
