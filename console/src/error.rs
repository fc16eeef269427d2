//! Why a console does not start.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The reason why a console does not start. It is the error in the exit reason of its child, and so
/// in the [`StartError`](perennial_supervision::StartError) of its tree.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The text is not the address of a socket.
    Address {
        /// The text.
        address: String,
    },
    /// Other machines can reach the address, and that was not
    /// [allowed](crate::Console::allow_remote).
    RemoteNotAllowed {
        /// The address.
        address: SocketAddr,
    },
    /// Other machines can reach the address, and there is no [token](crate::Console::token).
    RemoteWithoutToken {
        /// The address.
        address: SocketAddr,
    },
    /// The token has less than 16 characters, or one that no header can carry.
    WeakToken,
    /// The address could not be bound.
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl fmt::Display for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address } => write!(f, "{address:?} is not the address of a socket"),
            Self::RemoteNotAllowed { address } => {
                write!(f, "other machines can reach {address}, which is not allowed")
            }
            Self::RemoteWithoutToken { address } => {
                write!(f, "other machines can reach {address}, and there is no token")
            }
            Self::WeakToken => f.write_str("the token has less than 16 visible ASCII characters, or others"),
            Self::Bind { address, .. } => write!(f, "{address} cannot be bound"),
        }
    }
}

impl Error for ConsoleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind { error, .. } => Some(error),
            _ => None,
        }
    }
}
