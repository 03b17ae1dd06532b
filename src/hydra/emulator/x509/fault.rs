//! What Go says of a certificate that it does not take.

use std::borrow::Cow;

/// What Go says of a certificate that it does not take.
pub(in crate::hydra::emulator) type Fault = Cow<'static, str>;
