/// Sizes at which loops over vectors, groups and blocks go wrong: 0, powers of two, and their
/// neighbours.
public let raggedCounts: [Int] = {
    let powers = (0...12).map { 1 << $0 }
    return Set([0] + powers.flatMap { [$0 - 1, $0, $0 + 1] }).sorted()
}()
