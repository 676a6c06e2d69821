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
    fn an_address_that_another_program_has_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = bind(taken.local_addr().unwrap(), 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
