"""How scripted users talk: for each manner, forms of everything that a user says besides its facts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FORMS = (
    *("give", "label", "later", "wrong", "help", "as_asked", "nod", "listening", "what", "close", "bye", "yes", "no"),
    *("doing", "again", "cannot", "did", "shows", "refused"),
)
"""give: one fact; label: one of several; later: asked too soon; wrong: a slip and its correction; help: not understood, or not known; as_asked:
a yes or no is wanted of a user who has none to say; nod: nothing was asked; listening: nor of one who still has to agree; what: may one
go ahead, but with what was not said; close: nothing more is wanted; bye: leaving; doing: a deed is begun; again: it was before; cannot: it is
none of theirs; did, shows, refused: how it went. In them `v` is a value, or what was shown, `w` a wrong value, `n` the name of what was
asked; in `no`, `x` says what then."""

_FORMS = {
    "plain": {
        "give": "{v}. | It's {v}. | That would be {v}.",
        "label": "The {n}: {v}. | {n}: {v}.",
        "later": "I'd have to look that up first. Ask me once more, please. | Not at hand, one moment. Ask again, please.",
        "wrong": "{w}. No, sorry, that's wrong: {v}. | It's {w}. Wait, no. It's {v}.",
        "help": "I can't help you with that. What exactly do you need to know? | Not sure I follow. What is it that you need from me?",
        "as_asked": "Just do what I asked for, please. | Please do as I asked.",
        "nod": "All right. | Fine.",
        "listening": "I'm listening. | I'm still here.",
        "what": "What is it that you want to do? | What exactly do you mean to do?",
        "close": "No, that's all. | That is all, thank you.",
        "bye": "I have to go now. Goodbye. | I can't stay any longer. Goodbye.",
        "yes": "Yes, go ahead. | Yes, please do.",
        "no": "No, leave it as it is. {x} | No, don't. {x}",
        "doing": "All right, I'll do it. | Fine, one moment.",
        "again": "I went through that already, and told you how it went. | That is behind me already; it went as I said.",
        "cannot": "I can't {n}, it isn't offered to me. | That's not possible on my side either: I can't {n}.",
        "did": "Done. | That's done.",
        "shows": "Done, it says {v}. | That's done. It says {v} now.",
        "refused": "It won't let me: {v} | That was refused: {v}",
    },
    "courteous": {
        "give": "Of course, it's {v}. | Certainly: {v}. | That would be {v}, thank you for asking.",
        "label": "The {n} would be {v}. | As for the {n}: {v}.",
        "later": "I'm so sorry, I need to find my notes. Would you ask me again? | Forgive me, I don't have it here yet. Could you ask again?",
        "wrong": "It's {w}. Oh, I beg your pardon, I misread that: {v}. | {w}. My apologies, that was last time. It's {v} now.",
        "help": "I'm sorry, I can't tell you that. What exactly would you like to know? | Pardon me, what is it that you need from me?",
        "as_asked": "If you would just do what I asked for, please. | Please do as I asked, if you don't mind.",
        "nod": "Thank you very much. | That is kind of you.",
        "listening": "I'm listening. | I'm still here, thank you.",
        "what": "Would you tell me first what it is that you want to do? | May I ask what exactly you would do?",
        "close": "No, that was everything. Thank you so much. | Nothing else, many thanks.",
        "bye": "I'm afraid I have to leave now. Goodbye, and thank you. | I really must go. Thank you, goodbye.",
        "yes": "Yes, please, that would be lovely. | Yes, thank you, please go ahead.",
        "no": "Thank you for asking, but no, please leave it. {x} | No, I'd rather not after all. {x}",
        "doing": "Of course, let me do that. | Certainly, one moment, please.",
        "again": "I have been through that already, as I told you. | Forgive me, I went through that before; it went as I said.",
        "cannot": "I'm so sorry, I can't {n}; it isn't offered to me. | I looked, but I'm afraid that I can't {n} either.",
        "did": "There, that is done. | Thank you for waiting, it is done.",
        "shows": "There, it is done; it says {v}. | Thank you for waiting, it is done and says {v}.",
        "refused": "I'm afraid it won't let me: {v} | I'm sorry, it was refused: {v}",
    },
    "hurried": {
        "give": "{v} | it's {v} | {v}, quick please",
        "label": "{n}: {v} | {n} is {v}",
        "later": "no time to look, ask me again | hang on. ask again in a sec",
        "wrong": "{w}, no wait, {v} | {w}... sorry, typo: {v}",
        "help": "no idea. what do you need | didn't get that, what do you need to know?",
        "as_asked": "just do what i asked | as i said, do what i asked",
        "nod": "ok | right",
        "listening": "i'm here | listening",
        "what": "what exactly do you want to do | to do what?",
        "close": "no that's it | nope, done",
        "bye": "gotta run, bye | no time for this, bye",
        "yes": "yes go | yep do it",
        "no": "no, leave it. {x} | no don't. {x}",
        "doing": "ok on it | sure, sec",
        "again": "went through that already, as i said | that's behind me, it went as i told you",
        "cannot": "can't {n}, no such thing here | nope, i can't {n} either",
        "did": "done | there, done",
        "shows": "done, says {v} | there, it says {v}",
        "refused": "won't let me: {v} | got an error: {v}",
    },
    "formal": {
        "give": "Please note: {v}. | The entry is {v}. | For your records: {v}.",
        "label": "{n}: {v}. | With regard to the {n}: {v}.",
        "later": "I shall have to consult the file. Kindly ask again. | This is not before me at present; please repeat your question.",
        "wrong": "It is {w}. I must correct myself: {v}. | {w}. Erratum: {v}.",
        "help": "I can say nothing as to that. Please specify what you require. | Kindly state precisely what you need to know.",
        "as_asked": "Please carry out my request as it stands. | My request stands as I made it.",
        "nod": "Noted. | Understood.",
        "listening": "I am listening. | I am at your disposal.",
        "what": "Kindly state what you intend to do. | Please say first what it is that you intend to do.",
        "close": "There is nothing further. | That concludes the matter. Regards.",
        "bye": "I have to end this conversation. Goodbye. | My time is up. Goodbye.",
        "yes": "Yes, you have my confirmation. | Confirmed. Please proceed.",
        "no": "No, I do not confirm this. {x} | I withdraw that; please change nothing. {x}",
        "doing": "I shall see to it at once. | Understood; I am doing so now.",
        "again": "I have attended to that already, with the result stated. | That matter was attended to before, as reported.",
        "cannot": "I am not in a position to {n}; it is not offered to me. | Please note that I cannot {n} either.",
        "did": "This has been carried out. | This is done.",
        "shows": "This has been carried out; the entry reads: {v}. | This is done. On record: {v}.",
        "refused": "The system refuses: {v} | This was declined: {v}",
    },
    "chatty": {
        "give": "Oh, that's {v}. | Right, yes: {v}. | Let me think... {v}, that's it.",
        "label": "The {n}, that's {v}. | And the {n} is {v}.",
        "later": "Now where did I put that? Ask me again while I look. | Oh, it's on a slip here somewhere. Try me again!",
        "wrong": "That's {w}. Oh no, silly me, it's {v}! | {w}, I think. Hang on, I'm wrong: {v}.",
        "help": "No idea, sorry! What do you want to know? | You've lost me there. What is it that you need?",
        "as_asked": "Oh, just do what I asked for! | Do it the way I asked, that'll be fine.",
        "nod": "Lovely! | Sounds good.",
        "listening": "I'm all ears! | Still here!",
        "what": "Hang on, what is it that you want to do? | Sorry, what would you be doing?",
        "close": "No, that's me all sorted! | Nothing else, you've been great.",
        "bye": "Oh, look at the time, I have to dash. Bye! | Sorry, there's someone at the door. Bye!",
        "yes": "Yes, go on then! | Yes, absolutely, go ahead.",
        "no": "Oh, on second thoughts, no, leave it. {x} | Hm, no, better not. {x}",
        "doing": "Sure, hang on, let me do that! | Right, one second, I'm in!",
        "again": "Oh, I went through that already, like I told you! | That? I was there before, it went as I said.",
        "cannot": "Hm, no, I can't {n}, there's no button for it! | I've looked everywhere, but I can't {n} either.",
        "did": "There we go, done! | And done!",
        "shows": "There we go, done! It says {v}. | And done, it says {v} now.",
        "refused": "Oh, it won't let me: {v} | Hm, that didn't work, it says: {v}",
    },
}
VOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {name: MappingProxyType({case: tuple(text.split(" | ")) for case, text in forms.items()}) for name, forms in _FORMS.items()}
)
"""Manner → case → its forms; in the order of the manners in which requests are made."""
