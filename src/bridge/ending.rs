//! How sessions end.

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The client closed it.
    ClientLeft,
    /// The client's connection is gone.
    ClientGone,
    /// The client was not heard in time.
    ClientSilent,
    /// The client sent what its protocol does not allow.
    ClientBroke,
    /// More waits for the client than may.
    ClientSlow,
    /// The client asked for no namespace in time.
    ClientIdle,
    /// The backend closed it.
    BackendLeft,
    /// The backend's connection is gone.
    BackendGone,
    /// The backend was not heard in time.
    BackendSilent,
    /// The backend sent what its protocol does not allow.
    BackendBroke,
    /// The backend is of the other generation than configured.
    BackendMismatch,
    /// No connection to the backend.
    BackendUnreachable,
    /// A message has no translation, and the rules close the session then.
    Untranslatable,
    /// The proxy drains.
    Draining,
}

impl Ending {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::ClientGone => "client_gone",
            Self::ClientSilent => "client_silent",
            Self::ClientBroke => "client_broke_protocol",
            Self::ClientSlow => "client_slow",
            Self::ClientIdle => "client_idle",
            Self::BackendLeft => "backend_left",
            Self::BackendGone => "backend_gone",
            Self::BackendSilent => "backend_silent",
            Self::BackendBroke => "backend_broke_protocol",
            Self::BackendMismatch => "backend_mismatch",
            Self::BackendUnreachable => "unreachable",
            Self::Untranslatable => "untranslatable",
            Self::Draining => "draining",
        }
    }

    /// Whether nobody is there to be told.
    pub(super) fn is_of_client_gone(self) -> bool {
        matches!(self, Self::ClientLeft | Self::ClientGone | Self::ClientSilent)
    }

    /// Whether what waits for the client is not delivered any more.
    pub(super) fn drops_queue(self) -> bool {
        self.is_of_client_gone() || self == Self::ClientSlow
    }
}
