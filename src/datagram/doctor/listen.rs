//! A datagram to ourselves; and what comes to the port, and for whom.

use super::Question;
use super::findings::{Findings, Heard, Listened, Membership, Other, Probe, Refused, Seen};
use super::tables::netstat;
use crate::datagram::audience::{Audience, Group};
use crate::datagram::error::DatagramError;
use crate::datagram::header::{Decoded, Header, Numbering};
use crate::datagram::interface::{Interface, Wanted};
use crate::datagram::receiver::{ReceiveOptions, Receiver};
use crate::datagram::sender::{SendOptions, Sender};
use crate::poller::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recvfrom};
use socket2::Socket;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// For our own datagram to come back.
const PATIENCE: Duration = Duration::from_secs(1);

/// Datagrams that are taken from one socket before it is another's turn, and the clock's.
const TURN: usize = 1000;

/// Groups and addresses that are listened to beside the audience. No host has as many.
const MOST_OTHERS: usize = 256;

/// Sends one datagram that stays on this host, and waits for it. On a port of its own, where nobody listens.
pub(super) fn probe(question: &Question, by: &Interface) -> Seen<Probe> {
    let port = match free_port(question.audience.addr().is_ipv4()) {
        Ok(port) => port,
        Err(error) => return Err(format!("no port is free to try it on: {error}")),
    };
    let mut addr = question.audience.addr();
    addr.set_port(port);
    let (audience, ttl) = match (question.audience, addr) {
        (Audience::Group(_), addr) => match Group::new(addr) {
            Ok(group) => (Audience::Group(group), 0),
            Err(error) => return Ok(Probe::Failed(error.to_string())),
        },
        (Audience::Broadcast(broadcast), _) if by.loopback => {
            let addr = SocketAddrV4::new(*broadcast.ip(), port);
            (Audience::Broadcast(addr), 1)
        }
        (Audience::Broadcast(_), _) => {
            return Err("not tried: a broadcast would leave this host".into());
        }
    };
    let tried = round_trip(question, by, &audience, ttl);
    Ok(tried.unwrap_or_else(|error| Probe::Failed(error.to_string())))
}

fn free_port(v4: bool) -> io::Result<u16> {
    let any: IpAddr = if v4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    Ok(UdpSocket::bind((any, 0))?.local_addr()?.port())
}

fn round_trip(
    question: &Question,
    by: &Interface,
    audience: &Audience,
    ttl: u8,
) -> Result<Probe, DatagramError> {
    let wanted = question.interface.clone();
    let interface = Some(wanted.unwrap_or(Wanted::Index(by.index)));
    // A group of a source is joined for ours.
    let sources = match audience {
        Audience::Group(group) if group.is_source_specific() => own_addresses(by, group),
        _ => Vec::new(),
    };
    let options = ReceiveOptions {
        interface: interface.clone(),
        sources,
        ..ReceiveOptions::default()
    };
    let mut receiver = Receiver::open(audience, &options)?;
    let options = SendOptions {
        interface,
        ttl,
        ..SendOptions::default()
    };
    let sender = Sender::open(audience, &options)?;
    let ours = Numbering::new().next_header();
    sender.send(&ours.encode())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(datagram) = receiver.receive(Some(left))? else {
            return Ok(Probe::Lost);
        };
        if let Ok(Decoded::Numbered(header, _)) = Header::decode(datagram.bytes)
            && header.stream == ours.stream
        {
            return Ok(Probe::CameBack);
        }
    }
}

fn own_addresses(by: &Interface, group: &Group) -> Vec<IpAddr> {
    if group.ip().is_ipv4() {
        by.v4.iter().map(|(ip, _)| (*ip).into()).collect()
    } else {
        by.v6.iter().map(|ip| (*ip).into()).collect()
    }
}

/// Listens as the receiver would, and beside it to every other audience of the port that this host takes in.
///
/// The others are heard by sockets that are bound to a group's or a broadcast's address and have joined nothing: each hears
/// what others' memberships bring in. None is bound to all addresses: that would hear them all in one, but of datagrams
/// to this host alone the kernel gives each to one socket only, and a running receiver might lose it to us.
pub(super) fn listen(
    question: &Question,
    by: Option<&Interface>,
    findings: &Findings,
    patience: Duration,
) -> Seen<Listened> {
    let mut listened = Listened::default();
    let options = ReceiveOptions {
        interface: question.interface.clone(),
        sources: question.sources.clone(),
        ..ReceiveOptions::default()
    };
    let mut receiver = match Receiver::open(&question.audience, &options) {
        Ok(receiver) => receiver,
        Err(error) => {
            let in_use = matches!(&error, DatagramError::System { cause, .. }
                if cause.kind() == io::ErrorKind::AddrInUse);
            let why = error.to_string();
            listened.refused = Some(Refused { in_use, why });
            return Ok(listened);
        }
    };
    let mut others = Vec::new();
    for (to, index) in others_of(question, by, findings) {
        match overhear(SocketAddr::new(to, question.audience.addr().port()), index) {
            Ok(socket) => others.push((socket, to, index, Heard::default())),
            Err(error) => listened.unheard.push((to, error.to_string())),
        }
    }
    let filtered_before = filtered();
    let deadline = Instant::now().checked_add(patience);
    loop {
        for _ in 0..TURN {
            let datagram = receiver.receive(Some(Duration::ZERO));
            match datagram.map_err(|error| error.to_string())? {
                Some(datagram) => listened.heard.note(datagram.from.ip()),
                None => break,
            }
        }
        for (socket, _, _, heard) in &mut others {
            drain(socket, heard).map_err(|error| format!("cannot receive: {error}"))?;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        let mut fds = vec![PollFd::new(&receiver, PollFlags::IN)];
        fds.extend(
            others
                .iter()
                .map(|(socket, ..)| PollFd::new(socket, PollFlags::IN)),
        );
        match poll(&mut fds, timespec(left).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(format!("cannot wait for a datagram: {error}")),
        }
    }
    listened.filtered = match (filtered_before, filtered()) {
        (Some(before), Some(after)) => Some(after.saturating_sub(before)),
        _ => None,
    };
    listened.others = others
        .into_iter()
        .map(|(_, to, index, heard)| Other { to, index, heard })
        .collect();
    Ok(listened)
}

/// Where else datagrams to the port may come: each group on each interface where somebody joined it, and each broadcast
/// address.
fn others_of(
    question: &Question,
    by: Option<&Interface>,
    findings: &Findings,
) -> Vec<(IpAddr, u32)> {
    let audience = question.audience.addr().ip();
    let members = findings.memberships.iter().flatten();
    let mut others: Vec<(IpAddr, u32)> = members
        .map(|&Membership { group, index, .. }| (group, index))
        .filter(|(group, index)| {
            !joined_by_itself(*group)
                && (*group != audience || by.is_some_and(|by| by.index != *index))
        })
        .collect();
    if audience.is_ipv4() {
        let interfaces = findings.interfaces.iter().flatten();
        let networks = interfaces.flat_map(Interface::broadcasts);
        let all = networks.chain([Ipv4Addr::BROADCAST]).map(IpAddr::V4);
        others.extend(all.filter(|ip| *ip != audience).map(|ip| (ip, 0)));
    }
    others.sort_unstable();
    others.dedup();
    others.truncate(MOST_OTHERS);
    others
}

/// Every host is a member of these, for its own sake.
pub(super) fn joined_by_itself(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
        IpAddr::V6(group) => {
            let words = group.segments();
            let solicited = [0xff02, 0, 0, 0, 0, 1] == words[..6] && words[6] >> 8 == 0xff;
            let all_nodes = words[0] & 0xfff0 == 0xff00 && words[1..] == [0, 0, 0, 0, 0, 0, 1];
            solicited || all_nodes
        }
    }
}

/// A socket that hears what comes to this address by this interface, because others joined.
#[cfg(target_os = "linux")]
fn overhear(addr: SocketAddr, index: u32) -> io::Result<Socket> {
    use socket2::{Domain, Protocol, Type};

    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(index) = std::num::NonZeroU32::new(index) {
        // The same option for both families.
        socket.bind_device_by_index_v4(Some(index))?;
    }
    let place = match addr {
        SocketAddr::V6(mut addr) => {
            addr.set_scope_id(index);
            addr.into()
        }
        SocketAddr::V4(_) => addr,
    };
    socket.bind(&place.into())?;
    Ok(socket)
}

/// Only on Linux does a socket hear groups that it did not join.
#[cfg(not(target_os = "linux"))]
fn overhear(_: SocketAddr, _: u32) -> io::Result<Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

fn drain(socket: &Socket, heard: &mut Heard) -> io::Result<()> {
    let mut byte = [0; 1];
    for _ in 0..TURN {
        // The rest of the datagram is not needed.
        match recvfrom(socket, &mut byte, RecvFlags::DONTWAIT) {
            Ok((_, _, from)) => {
                if let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) {
                    heard.note(from.ip());
                }
            }
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Packets that `rp_filter` dropped, since the host started.
fn filtered() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/netstat").ok()?;
    netstat(&text, "TcpExt:", "IPReversePathFilter")
}
