//! What Go says of a certificate that it does not take.

use std::borrow::Cow;

/// What Go says of a certificate that it does not take.
pub(in super::super) type Fault = Cow<'static, str>;
