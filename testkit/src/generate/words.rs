//! Word lists of the generators, and picking from them. Frozen: changing one changes every workload.

use tidemark_base::SeededEntropy;

pub(super) const FIRST_NAMES: [&str; 32] = [
    "Ada", "Bruno", "Chiara", "Daniel", "Elif", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Katarina",
    "Liam", "Mei", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samuel", "Tomás", "Uma", "Viktor", "Wanda",
    "Ximena", "Yusuf", "Zoë", "Anton", "Beatriz", "Colm", "Dagny", "Emil", "Freya",
];

pub(super) const LAST_NAMES: [&str; 32] = [
    "Abbott",
    "Bergström",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Goldberg",
    "Haddad",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Larsson",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Schneider",
    "Tanaka",
    "Underwood",
    "Vasquez",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zhang",
    "Andersson",
    "Brennan",
    "Costa",
    "Diaz",
    "Evans",
    "Fontaine",
];

pub(super) const STREETS: [&str; 16] = [
    "Elm Street",
    "High Street",
    "Mill Lane",
    "Church Road",
    "Station Road",
    "Victoria Avenue",
    "Park Lane",
    "Queensway",
    "Birch Close",
    "Harbour View",
    "Market Square",
    "Orchard Drive",
    "King Street",
    "Bridge Road",
    "Meadow Way",
    "Garden Terrace",
];

pub(super) const CITIES: [&str; 24] = [
    "Aarhus",
    "Bristol",
    "Cork",
    "Dresden",
    "Eindhoven",
    "Florence",
    "Gdansk",
    "Hamburg",
    "Innsbruck",
    "Jena",
    "Kraków",
    "Leeds",
    "Malmö",
    "Nantes",
    "Oporto",
    "Prague",
    "Quimper",
    "Rotterdam",
    "Seville",
    "Turin",
    "Uppsala",
    "Valencia",
    "Warsaw",
    "Zürich",
];

pub(super) const NOUNS: [&str; 32] = [
    "lamp", "chair", "kettle", "bottle", "notebook", "backpack", "jacket", "mug", "blanket", "keyboard",
    "speaker", "tripod", "shelf", "basket", "clock", "mirror", "stool", "teapot", "wallet", "umbrella",
    "candle", "cushion", "desk", "drill", "hammer", "ladder", "pan", "plate", "rug", "scarf", "tent", "vase",
];

pub(super) const STATUSES: [&str; 6] = ["created", "paid", "packed", "shipped", "delivered", "returned"];

pub(super) const PAYMENT_STATES: [&str; 4] = ["pending", "authorised", "captured", "refunded"];

pub(super) const PHRASES: [&str; 16] = [
    "please leave at the door",
    "ring twice",
    "gift, no invoice inside",
    "call before delivery",
    "neighbour may accept",
    "fragile",
    "deliver after six",
    "back entrance",
    "customer asked for a new date",
    "parcel was damaged",
    "address corrected",
    "waiting for stock",
    "partial delivery agreed",
    "discount promised",
    "second attempt",
    "left with reception",
];

/// One of a list.
#[inline]
pub(super) fn pick<'a>(from: &[&'a str], entropy: &mut SeededEntropy) -> &'a str {
    let index = entropy.below(from.len() as u64);
    from[usize::try_from(index).expect("below a length")]
}

/// A stream of its own for `number` (and a purpose) under a seed, unrelated to those of other numbers.
#[inline]
pub(super) const fn stream(seed: u64, number: u64, purpose: u64) -> SeededEntropy {
    let mixed = SeededEntropy::new(seed ^ purpose.rotate_left(32)).next_u64();
    SeededEntropy::new(SeededEntropy::new(mixed ^ number.wrapping_mul(0xd134_2543_de82_ef95)).next_u64())
}

/// A number below `bound`, as the type BSON's int32 wants.
#[inline]
pub(super) fn below_i32(entropy: &mut SeededEntropy, bound: i32) -> i32 {
    let value = entropy.below(u64::try_from(bound).unwrap_or_default());
    i32::try_from(value).expect("below a bound of that type")
}
