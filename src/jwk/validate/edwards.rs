//! Octet key pairs (RFC 8037). Only Ed25519 is supported.

use aws_lc_rs::signature::Ed25519KeyPair;

use super::{InvalidJwk, Jwk, exactly};

/// The bytes of a public key and of a private one.
const SIZE: usize = 32;

pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    match key.text("crv").ok_or(InvalidJwk::MissingMember("crv"))? {
        "Ed25519" => {}
        "X25519" => return Err(InvalidJwk::UnsupportedCurve("X25519")),
        "Ed448" => return Err(InvalidJwk::UnsupportedCurve("Ed448")),
        "X448" => return Err(InvalidJwk::UnsupportedCurve("X448")),
        _ => return Err(InvalidJwk::UnknownCurve),
    }
    let x = exactly(key, "x", SIZE)?;
    if !is_point(&x) {
        return Err(InvalidJwk::NotOnCurve);
    }
    if key.members().contains_key("d") && Ed25519KeyPair::from_seed_and_public_key(&exactly(key, "d", SIZE)?, &x).is_err() {
        return Err(InvalidJwk::PrivateHalfMismatch);
    }
    Ok(())
}

/// Whether the bytes decode to a point (RFC 8032 section 5.1.3) other than the two with x = 0, which are no public keys.
///
/// aws-lc takes any 32 bytes and fails only when it verifies, where nobody can tell a bad key from a bad signature. So the equation is checked
/// here: x² = (y² − 1) / (d·y² + 1) with d = −121665 / 121666 has a solution if (y² − 1) · 121666 · (121666 − 121665·y²) is a square other than 0.
/// All of it is public, so it need not run in constant time.
fn is_point(encoded: &[u8]) -> bool {
    let mut y = [0; 4];
    for (limb, bytes) in y.iter_mut().zip(encoded.chunks_exact(8)) {
        *limb = bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    y[3] &= u64::MAX >> 1; // the sign of x
    if y != reduced(y) {
        return false;
    }
    let y2 = multiply(y, y);
    let numerator = add(y2, negative(small(1)));
    let denominator = add(small(121_666), negative(multiply(small(121_665), y2)));
    let value = multiply(multiply(numerator, small(121_666)), denominator);
    // Euler's criterion: value^((p−1)/2) is 1 for squares, −1 for others, 0 for 0. (p−1)/2 = 2^254 − 10.
    let mut power = small(1);
    for bit in (0..254).rev() {
        power = multiply(power, power);
        let is_set = bit > 3 || matches!(bit, 1 | 2);
        if is_set {
            power = multiply(power, value);
        }
    }
    reduced(power) == small(1)
}

/// An integer modulo p = 2^255 − 19, least significant limb first, not always the smallest one.
type Field = [u64; 4];

const P: Field = [u64::MAX - 18, u64::MAX, u64::MAX, u64::MAX >> 1];

fn small(value: u64) -> Field {
    [value, 0, 0, 0]
}

fn add(a: Field, b: Field) -> Field {
    let (sum, carry) = add_with_carry(a, b);
    // 2^256 = 38 modulo p
    fold(sum, carry)
}

/// p − a, or 2p − a where a is larger than p.
fn negative(a: Field) -> Field {
    let a = reduced(a);
    let mut difference = [0; 4];
    let mut borrow = false;
    for index in 0..4 {
        let (partial, first) = P[index].overflowing_sub(a[index]);
        let (limb, second) = partial.overflowing_sub(u64::from(borrow));
        difference[index] = limb;
        borrow = first || second;
    }
    difference
}

fn multiply(a: Field, b: Field) -> Field {
    let mut wide = [0_u64; 8];
    for i in 0..4 {
        let mut carry = 0_u128;
        for j in 0..4 {
            let sum = u128::from(a[i]) * u128::from(b[j]) + u128::from(wide[i + j]) + carry;
            wide[i + j] = sum as u64;
            carry = sum >> 64;
        }
        wide[i + 4] = carry as u64;
    }
    let mut low = [0; 4];
    let mut carry = 0_u128;
    for index in 0..4 {
        let sum = u128::from(wide[index]) + 38 * u128::from(wide[index + 4]) + carry;
        low[index] = sum as u64;
        carry = sum >> 64;
    }
    fold(low, carry as u64)
}

/// `low` + 2^256 · `carry`.
fn fold(low: Field, carry: u64) -> Field {
    let (sum, again) = add_with_carry(low, small(38 * carry));
    add_with_carry(sum, small(38 * again)).0
}

fn add_with_carry(a: Field, b: Field) -> (Field, u64) {
    let mut sum = [0; 4];
    let mut carry = 0_u128;
    for index in 0..4 {
        let limb = u128::from(a[index]) + u128::from(b[index]) + carry;
        sum[index] = limb as u64;
        carry = limb >> 64;
    }
    (sum, carry as u64)
}

/// The smallest representative.
fn reduced(a: Field) -> Field {
    let mut a = a;
    // At most twice: 2^256 < 3p.
    while is_at_least_p(&a) {
        let mut borrow = false;
        for index in 0..4 {
            let (partial, first) = a[index].overflowing_sub(P[index]);
            let (limb, second) = partial.overflowing_sub(u64::from(borrow));
            a[index] = limb;
            borrow = first || second;
        }
    }
    a
}

fn is_at_least_p(a: &Field) -> bool {
    a.iter().rev().ge(P.iter().rev())
}
