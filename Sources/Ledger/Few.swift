/// A list that nearly always has one element or none, which then needs no memory of its own: most steps draw on one grant and
/// make one entry.
package struct Few<Element> {
    @usableFromInline
    package enum Content {
        case none
        case one(Element)
        /// Any number of them: how a list came about makes no difference to anybody.
        case many([Element])
    }

    @usableFromInline
    package var content: Content

    @inlinable
    package init() {
        content = .none
    }

    @inlinable
    package init(_ element: Element) {
        content = .one(element)
    }

    @inlinable
    package init(_ elements: [Element]) {
        switch elements.count {
        case 0: content = .none
        case 1: content = .one(elements[0])
        default: content = .many(elements)
        }
    }

    @inlinable
    package init(_ elements: some Sequence<Element>) {
        self.init()
        for element in elements { append(element) }
    }

    @inlinable
    package mutating func append(_ element: Element) {
        switch content {
        case .none:
            content = .one(element)
        case .one(let first):
            content = .many([first, element])
        case .many(var elements):
            // Nobody else holds them while they grow.
            content = .none
            elements.append(element)
            content = .many(elements)
        }
    }
}

/// What another module does with it goes by these: it sees through no conformance of a type that is not public, and would
/// ask at run time for what is known.
extension Few {
    @inlinable
    package var count: Int {
        switch content {
        case .none: 0
        case .one: 1
        case .many(let elements): elements.count
        }
    }

    @inlinable
    package var isEmpty: Bool {
        switch content {
        case .none: true
        case .one: false
        case .many(let elements): elements.isEmpty
        }
    }

    @inlinable
    package func forEach<Failure: Error>(_ body: (Element) throws(Failure) -> Void) throws(Failure) {
        switch content {
        case .none: break
        case .one(let element): try body(element)
        case .many(let elements): for element in elements { try body(element) }
        }
    }
}

/// The same of entries, which the engine asks of each step: as functions of this module they need not ask for their type.
extension Few<Entry> {
    package var count: Int {
        switch content {
        case .none: 0
        case .one: 1
        case .many(let elements): elements.count
        }
    }

    package var isEmpty: Bool { count == 0 }
}

extension Few: RandomAccessCollection, MutableCollection {
    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { count }

    @inlinable
    package subscript(position: Int) -> Element {
        get {
            switch content {
            case .one(let element) where position == 0: return element
            case .many(let elements): return elements[position]
            case .none, .one: preconditionFailure("a place beyond the end")
            }
        }
        set {
            switch content {
            case .one where position == 0:
                content = .one(newValue)
            case .many(var elements):
                content = .none
                elements[position] = newValue
                content = .many(elements)
            case .none, .one:
                preconditionFailure("a place beyond the end")
            }
        }
    }
}

extension Few: ExpressibleByArrayLiteral {
    @inlinable
    package init(arrayLiteral elements: Element...) {
        self.init(elements)
    }
}

extension Few: Sendable where Element: Sendable {}
extension Few.Content: Sendable where Element: Sendable {}

extension Few: Equatable where Element: Equatable {
    package static func == (a: Self, b: Self) -> Bool { a.elementsEqual(b) }
    package static func == (a: [Element], b: Self) -> Bool { a.elementsEqual(b) }
    package static func == (a: Self, b: [Element]) -> Bool { a.elementsEqual(b) }
}

extension Few: CustomStringConvertible {
    package var description: String { Array(self).description }
}
