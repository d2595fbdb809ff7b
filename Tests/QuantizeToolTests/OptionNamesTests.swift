import CheckpointIO
import Testing

@testable import QuantizeTool

/// The libraries name their options, the tool its flags.
@Suite struct OptionNamesTests {
    @Test func namesAreThoseOfTheCommandLine() {
        #expect(
            OptionNames.spoken("`resumes` continues that run, `overwrites` starts anew")
                == "--resume continues that run, --force starts anew"
        )
        #expect(
            OptionNames.spoken("without `readsTokenizer` the weights are converted alone")
                == "with --no-tokenizer the weights are converted alone"
        )
        #expect(OptionNames.spoken("nothing `of` it") == "nothing `of` it")
    }

    @Test func errorsKeepEverythingElse() {
        var error = CheckpointError(
            .limitMemory,
            "needs `budget`",
            file: "a",
            tensor: "b",
            key: "c",
            offset: 4,
            expected: "d",
            found: "e",
            hint: "give more with `budget`",
            systemError: 12
        )
        error.category = .badData
        let spoken = error.spoken
        #expect(spoken.message == "needs --memory-limit")
        #expect(spoken.hint == "give more with --memory-limit")
        #expect(spoken.category == .badData && spoken.systemError == 12 && spoken.offset == 4)
        #expect(spoken.file == "a" && spoken.tensor == "b" && spoken.key == "c")
        #expect(spoken.expected == "d" && spoken.found == "e")
    }
}
