//! The small vocabularies of the contract.

use serde::{Deserialize, Serialize};

/// What kind of answer a reply is. Serialised as in the contract (`ip-block`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Accepted,
    IpBlock,
    SenderBlock,
    IpRate,
    RateLimit,
    NewSender,
    AuthSpf,
    AuthDkim,
    AuthDmarc,
    Ptr,
    Recipient,
    Quota,
    ContentSpam,
    TenantPolicy,
    Protocol,
    TransientInfrastructure,
    Connection,
    Unknown,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Accepted,
        Self::IpBlock,
        Self::SenderBlock,
        Self::IpRate,
        Self::RateLimit,
        Self::NewSender,
        Self::AuthSpf,
        Self::AuthDkim,
        Self::AuthDmarc,
        Self::Ptr,
        Self::Recipient,
        Self::Quota,
        Self::ContentSpam,
        Self::TenantPolicy,
        Self::Protocol,
        Self::TransientInfrastructure,
        Self::Connection,
        Self::Unknown,
    ];

    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::IpBlock => "ip-block",
            Self::SenderBlock => "sender-block",
            Self::IpRate => "ip-rate",
            Self::RateLimit => "rate-limit",
            Self::NewSender => "new-sender",
            Self::AuthSpf => "auth-spf",
            Self::AuthDkim => "auth-dkim",
            Self::AuthDmarc => "auth-dmarc",
            Self::Ptr => "ptr",
            Self::Recipient => "recipient",
            Self::Quota => "quota",
            Self::ContentSpam => "content-spam",
            Self::TenantPolicy => "tenant-policy",
            Self::Protocol => "protocol",
            Self::TransientInfrastructure => "transient-infrastructure",
            Self::Connection => "connection",
            Self::Unknown => "unknown",
        }
    }

    /// Microsoft refuses the source or the sender as such.
    pub fn is_block(self) -> bool {
        matches!(self, Self::IpBlock | Self::SenderBlock)
    }

    /// What a reply of this class says of the sender's standing, where nothing tells it better.
    pub fn signal(self) -> Signal {
        match self {
            Self::IpBlock | Self::SenderBlock => Signal::Block,
            Self::IpRate | Self::RateLimit | Self::NewSender => Signal::Throttle,
            Self::AuthSpf | Self::AuthDkim | Self::AuthDmarc => Signal::Auth,
            Self::Accepted
            | Self::Recipient
            | Self::Quota
            | Self::ContentSpam
            | Self::TenantPolicy
            | Self::Protocol => Signal::Pass,
            Self::Ptr | Self::TransientInfrastructure | Self::Connection | Self::Unknown => Signal::Skip,
        }
    }

    /// The sender domain's authentication failed.
    pub fn is_authentication(self) -> bool {
        matches!(self, Self::AuthSpf | Self::AuthDkim | Self::AuthDmarc)
    }

    /// Microsoft slows the source down.
    pub fn is_throttle(self) -> bool {
        matches!(self, Self::IpRate | Self::RateLimit | Self::NewSender)
    }
}

/// Which Microsoft service takes the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Outlook.com, Hotmail, Live, MSN.
    Consumer,
    /// Tenants of Microsoft 365, through Exchange Online Protection.
    M365,
    /// GCC High and DoD.
    Gov,
    /// 21Vianet.
    China,
    Unknown,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Consumer, Self::M365, Self::Gov, Self::China, Self::Unknown];

    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::M365 => "m365",
            Self::Gov => "gov",
            Self::China => "china",
            Self::Unknown => "unknown",
        }
    }
}

/// What a reply says about the standing of who sends, for the detection of onsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Refused for the IP's or the sender's sake.
    Block,
    /// Slowed down, and the text blames the sender.
    Throttle,
    /// Slowed down, and the text blames nobody.
    Busy,
    /// The sender domain's authentication failed; concerns the domain, never the IP.
    Auth,
    /// Accepted, or refused at a later check than the source's standing.
    Pass,
    /// Says nothing about the source's standing.
    Skip,
}
