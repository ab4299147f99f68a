import Ledger
import SeededRandom
import Testing

/// A list of few is an array in all but its memory.
@Suite struct FewTests {
    @Test(arguments: 0...4)
    func `a list of few has what an array of the same has`(count: Int) {
        let array = Array(0..<count)
        let few = Few<Int>(array)
        var appended = Few<Int>()
        for element in array { appended.append(element) }
        for few in [few, appended, Few<Int>(array.lazy.map { $0 })] {
            #expect(few == array && array == few && few == Few<Int>(array))
            #expect(few.count == count && few.isEmpty == (count == 0))
            #expect(few.indices.map { few[$0] } == array)
            #expect(few.last == array.last && few.reduce(0, +) == array.reduce(0, +))
            #expect(few.description == array.description)
            var each: [Int] = []
            few.forEach { each.append($0) }
            #expect(each == array)
        }
        #expect(few != Few<Int>(array + [9]))
    }

    @Test(arguments: 1...4)
    func `an element is changed in its place, in no copy`(count: Int) {
        for index in 0..<count {
            var array = Array(0..<count)
            var few = Few<Int>(array)
            let copy = few
            few[index] += 10
            array[index] += 10
            #expect(few == array)
            #expect(copy == Array(0..<count))
        }
    }

    @Test func `how a list came about makes no difference`() {
        let literal: Few<Int> = [1]
        #expect(literal == Few<Int>(1) && literal == Few<Int>([1]) && Few<Int>([]) == Few<Int>())
    }

    @Test func `no place is beyond the end`() async {
        await #expect(processExitsWith: .failure) { _ = Few<Int>()[0] }
        await #expect(processExitsWith: .failure) { _ = Few<Int>(1)[1] }
        await #expect(processExitsWith: .failure) { _ = Few<Int>([1, 2])[2] }
        await #expect(processExitsWith: .failure) {
            var few = Few<Int>(1)
            few[-1] = 2
        }
    }
}
