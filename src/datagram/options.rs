//! The socket options that socket2 has not.
#![allow(unsafe_code)]

use super::error::{DatagramError, Doing};
use super::interface::Interface;
use socket2::Socket;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
use std::num::NonZeroU32;

/// By which an interface is named where its number cannot be.
#[cfg(not(target_os = "linux"))]
fn v4_of(interface: Option<&Interface>) -> Ipv4Addr {
    interface
        .and_then(|one| one.v4.first())
        .map_or(Ipv4Addr::UNSPECIFIED, |(addr, _)| *addr)
}

/// Sends to groups by this interface. By its number where the system can: an address may be that of two.
pub(super) fn send_groups_by(
    socket: &Socket,
    interface: &Interface,
    addr: Ipv4Addr,
) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let none = Ipv4Addr::UNSPECIFIED;
        Ok(rustix::net::sockopt::set_ip_multicast_if_with_ifindex(
            socket,
            &none,
            &addr,
            interface.index,
        )?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = interface;
        socket.set_multicast_if_v4(&addr)
    }
}

/// A datagram that does not fit the link is an error, and is not cut into fragments.
pub(super) fn never_fragment(socket: &Socket, v4: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::net::sockopt::{
            Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
        };
        if v4 {
            set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO)?;
        } else {
            set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DO)?;
        }
        Ok(())
    }
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    {
        use std::os::fd::AsRawFd;

        let (level, option) = if v4 {
            (libc::IPPROTO_IP, libc::IP_DONTFRAG)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG)
        };
        let on: libc::c_int = 1;
        // SAFETY: the pointer is to a live `int`, and the length is its own; the kernel reads it and nothing more.
        let code = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if code == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd")))]
    {
        let _ = (socket, v4);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sends and hears by this interface alone.
pub(super) fn stay_on(socket: &Socket, on: &Interface) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return socket.bind_device_by_index_v4(NonZeroU32::new(on.index));
    #[cfg(target_vendor = "apple")]
    {
        let index = NonZeroU32::new(on.index);
        if socket.local_addr().is_ok_and(|addr| addr.is_ipv6()) {
            socket.bind_device_by_index_v6(index)
        } else {
            socket.bind_device_by_index_v4(index)
        }
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (socket, on);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// As many bytes as were asked for, where the program may go beyond the system's limit; else as many as that.
pub(super) fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_ok() {
        return Ok(());
    }
    socket.set_recv_buffer_size(bytes)
}

/// Hears the groups that this socket joined, instead of those that anybody on this host joined; of IPv4, on the interface where
/// it joined. (`IP_MULTICAST_ALL`, which Linux has on; other systems never do it.)
pub(super) fn hear_own_groups_only(socket: &Socket, v4: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if v4 {
            socket.set_multicast_all_v4(false)?;
        } else {
            socket.set_multicast_all_v6(false)?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, v4);
    Ok(())
}

/// Joins a group for what one source sends to it. (RFC 3678)
pub(super) fn join_for_source(
    socket: &Socket,
    group: IpAddr,
    source: IpAddr,
    interface: Option<&Interface>,
) -> Result<(), DatagramError> {
    #[cfg(target_os = "linux")]
    let joined =
        mcast_join_source_group(socket, group, source, interface.map_or(0, |one| one.index));
    #[cfg(not(target_os = "linux"))]
    let joined = match (group, source) {
        #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "android"))]
        (IpAddr::V4(group), IpAddr::V4(source)) => {
            socket.join_ssm_v4(&source, &group, &v4_of(interface))
        }
        _ => {
            return Err(DatagramError::NoSourceFilter {
                family: if group.is_ipv4() { "IPv4" } else { "IPv6" },
            });
        }
    };
    joined.map_err(|error| {
        let by = interface.map_or_else(String::new, |one| format!(" on {one}"));
        DatagramError::system(
            Doing::Join,
            format!("join {group} for source {source}{by}"),
            error,
        )
    })
}

/// `MCAST_JOIN_SOURCE_GROUP`: one call for both families, and the interface by its number.
#[cfg(target_os = "linux")]
fn mcast_join_source_group(
    socket: &Socket,
    group: IpAddr,
    source: IpAddr,
    index: u32,
) -> io::Result<()> {
    use socket2::SockAddr;
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd;

    let level = if group.is_ipv4() {
        libc::IPPROTO_IP
    } else {
        libc::IPPROTO_IPV6
    };
    let storage = |ip: IpAddr| {
        let addr = SockAddr::from(SocketAddr::new(ip, 0));
        // SAFETY: `sockaddr_storage` is plain bytes, for which zero is a value.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: both point to as many bytes as the address is long, which is no more than a storage, and do not overlap.
        unsafe {
            let to = (&raw mut storage).cast::<u8>();
            to.copy_from_nonoverlapping(addr.as_ptr().cast(), addr.len() as usize);
        }
        storage
    };
    let request = libc::group_source_req {
        gsr_interface: index,
        gsr_group: storage(group),
        gsr_source: storage(source),
    };
    // SAFETY: the pointer is to a live request, and the length is its own; the kernel reads it and nothing more.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            libc::MCAST_JOIN_SOURCE_GROUP,
            (&raw const request).cast(),
            size_of_val(&request) as libc::socklen_t,
        )
    };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Joins a group for what anybody sends to it.
pub(super) fn join(
    socket: &Socket,
    group: IpAddr,
    interface: Option<&Interface>,
) -> Result<(), DatagramError> {
    let joined = match group {
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_vendor = "apple"
        ))]
        IpAddr::V4(group) => {
            use socket2::InterfaceIndexOrAddress::{Address, Index};
            let by = interface.map_or(Address(Ipv4Addr::UNSPECIFIED), |one| Index(one.index));
            socket.join_multicast_v4_n(&group, &by)
        }
        #[cfg(not(any(
            target_os = "linux",
            target_os = "android",
            target_os = "freebsd",
            target_vendor = "apple"
        )))]
        IpAddr::V4(group) => socket.join_multicast_v4(&group, &v4_of(interface)),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.map_or(0, |one| one.index)),
    };
    joined.map_err(|error| {
        let by = interface.map_or_else(String::new, |one| format!(" on {one}"));
        DatagramError::system(Doing::Join, format!("join {group}{by}"), error)
    })
}

/// Datagrams that found this socket's buffer full, since it was opened. (`SO_MEMINFO`)
pub(super) fn dropped(socket: &Socket) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;

        const SO_MEMINFO: libc::c_int = 55;
        /// Where the drops are, of the words that the kernel writes (`SK_MEMINFO_DROPS`).
        const DROPS: usize = 8;
        let mut words = [0_u32; DROPS + 1];
        let mut length = size_of_val(&words) as libc::socklen_t;
        // SAFETY: the kernel writes no more than `length` bytes, which is what the array has, and writes to `length` how
        // many.
        let code = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_MEMINFO,
                words.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        (code == 0 && length as usize == size_of_val(&words)).then(|| words[DROPS])
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        None
    }
}
