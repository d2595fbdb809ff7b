import Testing
import Text

@Suite struct PythonPatternTests {
    @Test func matchesAsPython() throws {
        // (pattern, text, re.match, re.fullmatch)
        let cases: [(String, String, Bool, Bool)] = [
            ("q_proj", "q_proj", true, true), ("q_proj", "q_proj.x", true, false),
            ("q_proj", "a.q_proj", false, false), (".*\\.(q|v)_proj", "a.b.v_proj", true, true),
            ("(.*\\.)?(foo|foobar)$", "m.foobar", true, true),
            ("(.*\\.)?(^foo)$", "m.foo", false, false), ("(.*\\.)?(^foo)$", "foo", true, true),
            ("(?i)Q_PROJ", "q_proj", true, true), ("a|ab", "ab", true, true),
            ("", "a", true, false),
            ("x$", "x\n", true, false), ("[]a]+", "]a", true, true), ("\\d+", "12", true, true),
            ("(?P<n>a)(?P=n)", "aa", true, true), ("a.c", "a\u{E9}c", true, true),
        ]
        for (pattern, text, prefix, whole) in cases {
            let compiled = try PythonPattern(pattern)
            #expect(try compiled.matchesPrefix(of: text) == prefix, "\(pattern) \(text)")
            #expect(try compiled.matchesWhole(text) == whole, "\(pattern) \(text)")
        }
        let index = try PythonPattern(".*?\\.[^.]*\\.(\\d+)\\.")
        #expect(try index.firstGroup(ofPrefixOf: "model.layers.12.mlp.up") == "12")
        #expect(try index.firstGroup(ofPrefixOf: "layers.12.mlp.up") == nil)
    }

    @Test(arguments: [
        "(", "a**", "[", "\\", "(a", "(?<name>a)", "a(?i)b", "\\K", "\\Z", "\\h", "[[:alpha:]]",
        "(*FAIL)",
        "(?|a|b)", "a{,3}", "(?R)", "\\p{L}", "\\Qa\\E",
    ])
    func refusesWhatIsMalformedOrMeansSomethingElse(pattern: String) {
        #expect(throws: PythonPattern.Failure.self) { try PythonPattern(pattern) }
    }

    @Test func boundsTheStepsOfAMatch() throws {
        let pattern = try PythonPattern("(a+)+(b+)+(a+)+$")
        let part = String(repeating: "a", count: 40)
        #expect(throws: PythonPattern.Failure.self) {
            try pattern.matchesWhole(part + String(repeating: "b", count: 40) + part + "!")
        }
    }

    @Test func escapesText() throws {
        for text in ["a.b", "x[0]", "(?i)", "a b", "\\d"] {
            #expect(try PythonPattern(PythonPattern.escaping(text)).matchesWhole(text))
        }
        #expect(try !PythonPattern(PythonPattern.escaping("a.b")).matchesWhole("axb"))
    }
}
