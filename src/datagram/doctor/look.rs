//! Asks the system. Everything here only reads; what cannot be read is a finding, too.

use super::Question;
use super::findings::{Bound, Filter, Findings, Listened, Membership, Seen};
use super::{listen, owners, tables, walk};
use crate::datagram::audience::Audience;
use crate::datagram::error::{DatagramError, Doing};
use crate::datagram::interface::Interface;
use crate::datagram::options;
use socket2::{Domain, Protocol, Socket, Type};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(super) fn look(question: &Question, patience: Duration) -> Findings {
    let mut findings = Findings {
        interfaces: Interface::all().map_err(|error| error.to_string()),
        unpinned: own_address_for(question, None),
        pinned: None,
        memberships: memberships(question),
        filters: filters(question),
        sockets: sockets(question),
        rp_filter: Ok(Vec::new()),
        ways_back: Vec::new(),
        probe: Err("there is no interface to try it on".into()),
        listened: Ok(Listened::default()),
    };
    if let Ok(sockets) = &mut findings.sockets {
        owners::name(sockets);
    }
    let by = walk::interface_of(question, &findings).cloned();
    if let Some(by) = &by {
        if question.interface.is_some() {
            findings.pinned = Some(own_address_for(question, Some(by)));
        }
        findings.rp_filter = rp_filter(by);
        findings.probe = listen::probe(question, by);
    }
    let v4 = question.audience.addr().is_ipv4();
    for source in question.sources.iter().filter(|ip| ip.is_ipv4() && v4) {
        let back = SocketAddr::new(*source, question.audience.addr().port());
        findings.ways_back.push((*source, way_to(back)));
    }
    findings.listened = listen::listen(question, by.as_ref(), &findings, patience);
    if let Ok(before) = &mut findings.sockets {
        note_what_waited(before, &sockets(question).unwrap_or_default());
    }
    findings
}

/// The address that a sender to the audience has: to connect a UDP socket asks the routing table, and sends nothing.
fn own_address_for(question: &Question, by: Option<&Interface>) -> Seen<IpAddr> {
    let to = question.audience.addr();
    let asked = || -> std::io::Result<Option<SocketAddr>> {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
        let wanted = question.interface.as_ref();
        match (&question.audience, by) {
            (Audience::Group(_), Some(by)) if to.is_ipv6() => {
                socket.set_multicast_if_v6(by.index)?;
            }
            (audience, Some(by)) => {
                // Without an address it cannot send; that is found where its addresses are looked at.
                if let Some(own) = wanted.and_then(|wanted| wanted.v4_of(by)) {
                    match audience {
                        Audience::Group(_) => options::send_groups_by(&socket, by, own)?,
                        Audience::Broadcast(_) => {
                            options::stay_on(&socket, by)?;
                            socket.bind(&SocketAddr::from((own, 0)).into())?;
                        }
                    }
                }
            }
            (_, None) => {}
        }
        if let Audience::Broadcast(_) = question.audience {
            socket.set_broadcast(true)?;
        }
        socket.connect(&to.into())?;
        Ok(socket.local_addr()?.as_socket())
    };
    let doing = Doing::Send {
        broadcast: matches!(question.audience, Audience::Broadcast(_)),
        named: by.is_some(),
        v4: to.is_ipv4(),
    };
    address(doing, format!("find a way to {to}"), asked())
}

/// The address that this host answers somebody from.
fn way_to(to: SocketAddr) -> Seen<IpAddr> {
    let asked = || -> std::io::Result<Option<SocketAddr>> {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
        socket.connect(&to.into())?;
        Ok(socket.local_addr()?.as_socket())
    };
    address(Doing::Other, format!("find a way to {}", to.ip()), asked())
}

fn address(doing: Doing, what: String, asked: std::io::Result<Option<SocketAddr>>) -> Seen<IpAddr> {
    match asked {
        Ok(Some(own)) => Ok(own.ip()),
        Ok(None) => Err(format!("cannot {what}: the system names no address")),
        Err(error) => Err(DatagramError::system(doing, what, error).to_string()),
    }
}

/// One table of the kernel, read.
fn table<T>(path: &str, read: impl Fn(&str) -> tables::Rows<T>) -> Seen<Vec<T>> {
    let text = fs::read(path).map_err(|error| cannot_read(path, &error))?;
    // A name that is no UTF-8 stays a name.
    read(&String::from_utf8_lossy(&text)).map_err(|why| format!("cannot read {path}: {why}"))
}

fn cannot_read(path: &str, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("this system has no {path}"),
        _ => format!("cannot read {path}: {error}"),
    }
}

fn memberships(question: &Question) -> Seen<Vec<Membership>> {
    if question.audience.addr().is_ipv4() {
        table("/proc/net/igmp", tables::igmp)
    } else {
        table("/proc/net/igmp6", tables::igmp6)
    }
}

fn filters(question: &Question) -> Seen<Vec<Filter>> {
    if question.audience.addr().is_ipv4() {
        table("/proc/net/mcfilter", tables::mcfilter)
    } else {
        table("/proc/net/mcfilter6", tables::mcfilter)
    }
}

/// Those that have the port. A socket of IPv6 that is bound to all addresses may hear IPv4, too.
fn sockets(question: &Question) -> Seen<Vec<Bound>> {
    let addr = question.audience.addr();
    let mut all = Vec::new();
    if addr.is_ipv4() {
        all = table("/proc/net/udp", tables::udp)?;
    }
    match table("/proc/net/udp6", tables::udp) {
        Ok(more) if addr.is_ipv6() => all = more,
        Ok(more) => all.extend(more.into_iter().filter_map(|mut socket| {
            let IpAddr::V6(ip) = socket.addr.ip() else {
                return Some(socket);
            };
            if let Some(mapped) = ip.to_ipv4_mapped() {
                socket.addr.set_ip(mapped.into());
            }
            (socket.addr.is_ipv4() || ip.is_unspecified()).then_some(socket)
        })),
        // A kernel without IPv6.
        Err(_) if addr.is_ipv4() => {}
        Err(why) => return Err(why),
    }
    all.retain(|socket| socket.addr.port() == addr.port());
    Ok(all)
}

/// What waits in a socket's buffer before and after is what its program does not read.
fn note_what_waited(before: &mut [Bound], after: &[Bound]) {
    for socket in before {
        let later = after.iter().find(|later| later.inode == socket.inode);
        socket.waiting = later.map_or(0, |later| later.waiting.min(socket.waiting));
        socket.dropped = later.map_or(socket.dropped, |later| later.dropped);
    }
}

fn rp_filter(by: &Interface) -> Seen<Vec<(String, u8)>> {
    let mut modes = Vec::new();
    for name in ["all", &by.name] {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        let text = fs::read_to_string(&path).map_err(|error| cannot_read(&path, &error))?;
        let mode = text.trim().parse();
        let mode = mode.map_err(|_| format!("cannot read {path}: it says {text:?}"))?;
        modes.push((name.to_owned(), mode));
    }
    Ok(modes)
}
