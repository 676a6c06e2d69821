//! Why a packet could not be read.

use std::fmt;

/// What is wrong with a packet, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub code: Code,
    /// Where: bytes from the beginning of the payload, frame or packet.
    pub offset: usize,
}

impl Error {
    #[cold]
    pub(super) fn new(code: Code, offset: usize) -> Self {
        Self { code, offset }
    }

    /// The same error of what begins at `start`.
    pub(super) fn after(self, start: usize) -> Self {
        Self { offset: self.offset + start, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.code.name(), self.code.expected(), self.offset)
    }
}

impl std::error::Error for Error {}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $expected:literal;)*) => {
        /// The kinds of errors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What was expected, for a person.
            #[must_use]
            pub fn expected(self) -> &'static str {
                match self { $(Self::$variant => $expected,)* }
            }
        }
    };
}

codes! {
    /// Nothing where a packet has to be.
    EmptyPacket = "empty_packet", "expected a packet";
    /// A packet's first byte is no type.
    UnknownType = "unknown_type", "expected the type of a packet";
    /// A payload does not say how long its next packet is.
    BadLength = "bad_length", "expected the length of a packet";
    /// The payload ends within a packet.
    Truncated = "truncated", "expected the rest of the packet";
    /// Text that is not UTF-8.
    NotUtf8 = "not_utf8", "expected UTF-8";
    /// Binary data that is not base64.
    NotBase64 = "not_base64", "expected base64";
    /// A form that has no packets in it.
    NotAForm = "not_a_form", "expected a form field `d`";
    /// More bytes than the limit.
    TooLarge = "too_large", "expected fewer bytes";
    /// The first packet of a connection is not what it has to be.
    BadOpen = "bad_open", "expected an object with `sid`, `pingInterval` and `pingTimeout`";
    /// JSON that is none, or nests deeper than the limit.
    BadJson = "bad_json", "expected JSON";
    /// JSON that this type of packet does not carry.
    BadData = "bad_data", "expected other data for this type of packet";
    /// The identifier of an acknowledgement is out of range, or is missing.
    BadId = "bad_id", "expected the identifier of an acknowledgement";
    /// A number of attachments that is none, or zero.
    BadAttachments = "bad_attachments", "expected how many attachments follow";
    /// More attachments than the limit.
    TooManyAttachments = "too_many_attachments", "expected fewer attachments";
    /// A packet where an attachment of the one before has to be.
    AttachmentMissing = "attachment_missing", "expected an attachment of the packet before";
    /// An attachment that no packet announced.
    AttachmentUnexpected = "attachment_unexpected", "expected a packet that announces attachments";
    /// A placeholder that stands for no attachment.
    BadPlaceholder = "bad_placeholder", "expected placeholders of attachments that are there";
}
