//! Listening sockets: one for each worker on every address.
//!
//! On Linux the sockets of an address share its port (`SO_REUSEPORT`), and the system gives each new connection to one
//! of them. Elsewhere, where a shared port is not shared out, the workers take turns on one socket.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted, on each socket; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// Binds an address for this many workers. Port 0 is one free port for all of them.
///
/// # Errors
/// As binding fails.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        let next = if cfg!(target_os = "linux") { socket(bound)? } else { sockets[0].try_clone()? };
        sockets.push(next);
    }
    Ok(sockets)
}

/// Sockets that who started this process has bound for it (`LISTEN_FDS`, as systemd does).
#[derive(Debug, Default)]
pub struct Inherited(Vec<TcpListener>);

impl Inherited {
    /// Takes them over. Called before there are threads, since it changes the environment.
    ///
    /// # Errors
    /// As one of them is no TCP socket.
    pub fn take() -> io::Result<Self> {
        let mut given = listenfd::ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..given.len() {
            sockets.extend(given.take_tcp_listener(index)?);
        }
        Ok(Self(sockets))
    }

    /// Gives each address the socket that is bound to it, and those that are left to addresses without one, in order.
    ///
    /// # Errors
    /// More sockets than addresses, as a text for a person.
    pub fn assign(mut self, addresses: &[SocketAddr]) -> Result<Vec<Option<TcpListener>>, String> {
        let mut given: Vec<_> = addresses.iter().map(|address| self.bound_to(*address)).collect();
        let mut rest = self.0.into_iter();
        for place in given.iter_mut().filter(|place| place.is_none()) {
            *place = rest.next();
        }
        match rest.len() {
            0 => Ok(given),
            more => Err(format!("LISTEN_FDS passes {more} sockets more than `listen` has addresses")),
        }
    }

    /// The socket that is bound to an address.
    pub fn bound_to(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let index = self.0.iter().position(|socket| socket.local_addr().is_ok_and(|bound| bound == address))?;
        Some(self.0.remove(index))
    }
}

/// One socket for each of these many workers.
///
/// # Errors
/// As the system refuses.
pub fn share(socket: TcpListener, workers: usize) -> io::Result<Vec<TcpListener>> {
    socket.set_nonblocking(true)?;
    let mut sockets = (1..workers).map(|_| socket.try_clone()).collect::<Result<Vec<_>, _>>()?;
    sockets.push(socket);
    Ok(sockets)
}

fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_one_free_port() {
        let sockets = bind(([127, 0, 0, 1], 0).into(), 3).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|s| s.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
        assert_ne!(ports[0], 0);
    }

    #[test]
    fn sockets_that_are_passed_go_to_their_addresses() {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (first, second) = (bind(), bind());
        let of = |socket: &TcpListener| socket.local_addr().unwrap();
        let (one, two, other) = (of(&first), of(&second), "127.0.0.1:1".parse().unwrap());
        let pass = || Inherited(vec![first.try_clone().unwrap(), second.try_clone().unwrap()]);
        let given = |addresses: &[SocketAddr]| {
            pass().assign(addresses).map(|all| all.iter().map(|socket| socket.as_ref().map(of)).collect::<Vec<_>>())
        };
        assert_eq!(given(&[two, one]), Ok(vec![Some(two), Some(one)]));
        assert_eq!(given(&[other, one]), Ok(vec![Some(two), Some(one)]));
        assert_eq!(given(&[other, two, other]), Ok(vec![Some(one), Some(two), None]));
        assert!(given(&[one]).is_err());
        assert_eq!(pass().bound_to(other).as_ref().map(of), None);
        let shared = share(bind(), 3).unwrap();
        assert!(shared.iter().all(|socket| of(socket) == of(&shared[0])));
        assert_eq!(shared.len(), 3);
    }

    #[test]
    fn an_address_that_another_program_has_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = bind(taken.local_addr().unwrap(), 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
