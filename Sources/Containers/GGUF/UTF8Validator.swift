/// Checks bytes that arrive in pieces for being UTF-8 (RFC 3629: no overlong forms, no surrogates).
struct UTF8Validator {
    /// Continuation bytes still to come.
    private var pending = 0
    /// What the next continuation byte may be.
    private var allowed: ClosedRange<UInt8> = 0x80...0xBF

    /// Whether the bytes so far end on a whole character.
    var isComplete: Bool { pending == 0 }

    /// Returns whether the bytes may follow those before.
    mutating func accept(_ bytes: ArraySlice<UInt8>) -> Bool {
        for byte in bytes {
            if pending > 0 {
                guard allowed.contains(byte) else { return false }
                pending -= 1
                allowed = 0x80...0xBF
                continue
            }
            switch byte {
            case 0..<0x80: continue
            case 0xC2...0xDF: pending = 1
            case 0xE0: (pending, allowed) = (2, 0xA0...0xBF)
            case 0xED: (pending, allowed) = (2, 0x80...0x9F)
            case 0xE1...0xEF: pending = 2
            case 0xF0: (pending, allowed) = (3, 0x90...0xBF)
            case 0xF1...0xF3: pending = 3
            case 0xF4: (pending, allowed) = (3, 0x80...0x8F)
            default: return false
            }
        }
        return true
    }
}
