import TestSupport
import Testing

@testable import Containers

@Suite("UTF-8 that arrives in pieces")
struct UTF8ValidatorTests {
    @Test("bytes are judged as the standard library judges them, however they are cut")
    func agreesWithTheStandardLibrary() {
        // Boundaries of the well-formed sequences, and bytes beside them.
        let alphabet: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        var generator = SeededGenerator(seed: 8)
        for round in 0..<20_000 {
            let count = Int.random(in: 0...5, using: &generator)
            let bytes = (0..<count).map { _ in
                alphabet[Int.random(in: alphabet.indices, using: &generator)]
            }
            let cut = Int.random(in: 0...count, using: &generator)
            var validator = UTF8Validator()
            let isValid =
                validator.accept(bytes[..<cut]) && validator.accept(bytes[cut...])
                && validator.isComplete
            let expected = String(validating: bytes, as: UTF8.self) != nil
            #expect(isValid == expected, "seed 8, round \(round): \(bytes) cut at \(cut)")
        }
    }
}
