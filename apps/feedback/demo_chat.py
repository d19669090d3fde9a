"""What the demonstration's help desk says to each intent. It knows nothing about accounts: it shows a model at work."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.projects import access
from apps.projects.models import Project
from apps.serving.models import Served

SLUG = "bank-questions"  # of the demonstration's project
KEY_NAME = "Help desk chat"
GUESSES = 5
SURE = 0.4  # below, the help desk asks back rather than acting on its guess

EXAMPLES = (
    "I am still waiting for my new card",
    "Why was I charged a fee for taking out cash?",
    "Someone stole my phone on the train",
    "What exchange rate do you use?",
)

# by the first word of an intent that is listed; the longest that fits
_ANSWERS: dict[str, str | Promise] = {
    "activate_my_card": _(
        "To activate your card, open Cards in the app and press Activate; any payment with the PIN works too."
    ),
    "age_limit": _("You can open an account from 18 years on, or from 13 with a parent."),
    "apple_pay": _(
        "Add your card in your phone’s wallet; we confirm it with a message. Top-ups from there arrive at once."
    ),
    "atm": _(
        "Our card works at every machine that shows the sign on its front. The app’s map lists those without a fee."
    ),
    "automatic_top_up": _("Under Top up you can have us refill your account when it falls below an amount you choose."),
    "balance": _(
        "A transfer or deposit shows in your balance once the other bank has confirmed it, mostly within a day."
    ),
    "beneficiary": _(
        "Please check the account number and the name you entered. New recipients can take a day to be allowed."
    ),
    "cancel_transfer": _("A transfer can be taken back while it is pending: open it and press Cancel."),
    "card_about_to_expire": _("A new card is on its way a month before the old one ends. You need not order it."),
    "card_acceptance": _("You can pay wherever the sign on your card is shown, in shops and online."),
    "card_arrival": _(
        "Your card was posted to your address. It takes five to seven working days; the app shows where it is."
    ),
    "card_delivery_estimate": _("Cards take five to seven working days; with express delivery two."),
    "card_linking": _("Open Cards, press Link a card and enter its number; a small payment confirms that it is yours."),
    "card_not_working": _(
        "Please check in the app that the card is active and not frozen, and that online payments are on."
    ),
    "card_payment": _("Open the payment in the app and press Something is wrong; we look into it with the shop."),
    "card_swallowed": _("I have frozen your card. The machine’s bank destroys it; order a new one under Cards."),
    "cash_withdrawal": _(
        "Open the withdrawal in the app and press Something is wrong; keep the receipt if you have one."
    ),
    "change_pin": _("You can change your PIN at any cash machine that offers PIN services."),
    "compromised_card": _(
        "I have frozen your card. Please look through your latest payments and tell us which are not yours."
    ),
    "contactless_not_working": _("Pay once with the chip and your PIN; contactless works again after that."),
    "country_support": _(
        "We open accounts for residents of the European Economic Area, Switzerland and the United Kingdom."
    ),
    "declined": _("The reason stands under the payment in the app: mostly a limit, a wrong PIN, or a frozen card."),
    "direct_debit": _("You can refuse a direct debit within eight weeks: open it and press This was not agreed."),
    "disposable_card": _(
        "A disposable card has a new number after every payment. You find it under Cards, and can have five a day."
    ),
    "edit_personal_details": _(
        "Name, address and phone number are changed under Profile; a new name needs a document."
    ),
    "exchange": _(
        "We exchange at the interbank rate, plus half a percent at weekends. The app shows the rate beforehand."
    ),
    "extra_charge": _("Fees are listed line by line in your statement. Tell us which one you do not recognise."),
    "failed_transfer": _(
        "The transfer came back to your account. Please check the recipient’s details and send it again."
    ),
    "fiat_currency": _("You can hold thirty currencies; open Accounts and press Add a currency."),
    "get_disposable": _("A disposable card has a new number after every payment. You find it under Cards."),
    "get_physical_card": _("Open Cards, press Order and choose a design. It is posted the same day."),
    "getting_spare_card": _("A second card is ordered under Cards; the first stays as it is."),
    "getting_virtual_card": _("A virtual card is there at once: Cards, then Add, then Virtual."),
    "lost_or_stolen": _("I have frozen your card so that nobody can use it. Order a new one under Cards."),
    "lost_or_stolen_phone": _("I have signed your phone out and frozen your cards. Sign in on another one to go on."),
    "order_physical_card": _("Open Cards, press Order and choose a design. It is posted the same day."),
    "passcode": _(
        "Press Forgot passcode on the first page of the app; we check that it is you and you choose a new one."
    ),
    "pending": _("It is on its way. What is pending is settled by the other bank, mostly within one working day."),
    "pin_blocked": _("Your PIN can be unblocked in the app: Cards, then Security, then Unblock PIN."),
    "receiving_money": _("Give the sender your account number from the app’s first page. Salaries are welcome, too."),
    "refund": _("A refund takes up to ten working days; it arrives on the card you paid with."),
    "request_refund": _("Please ask the shop first. If it refuses, open the payment and press Ask for the money back."),
    "reverted": _("The money went back to where it came from. Mostly a limit or a mismatching name was the reason."),
    "supported_cards": _("We take debit and credit cards of the usual networks, and thirty currencies."),
    "terminate_account": _(
        "I am sorry that you want to leave. Close the account under Profile; your money is sent wherever you say."
    ),
    "top_up": _(
        "Top-ups by card arrive at once, by transfer within two working days. Limits stand under Account limits."
    ),
    "topping_up": _("Top-ups by card arrive at once, by transfer within two working days."),
    "transaction_charged_twice": _(
        "One of the two is a reservation and goes away by itself within a week. If not, we pay it back."
    ),
    "transfer": _(
        "Transfers in our country take minutes, others up to two working days. Each shows its state in the app."
    ),
    "unable_to_verify": _("Please take the picture again in daylight, with all four corners of the document in sight."),
    "verify_source_of_funds": _(
        "A payslip, a bill of sale or a bank statement will do; send it under Profile, Documents."
    ),
    "verify_top_up": _(
        "Some cards ask you to confirm the first top-up: enter the code that stands in your card’s statement."
    ),
    "verify": _("Verification needs a passport or identity card and a selfie; it takes about ten minutes."),
    "virtual_card_not_working": _("Please check the card’s limit and that online payments are on, then try again."),
    "visa_or_mastercard": _("You can choose: both are offered when you order a card, at the same price."),
    "why_verify": _("The law asks every bank to know its customers. It is done once and takes ten minutes."),
    "wrong_amount": _("Please keep the receipt of the machine and open the withdrawal in the app: Something is wrong."),
    "wrong_exchange": _(
        "We exchange at the rate of the moment of payment. Open it to see which one was used, and tell us if it is off."
    ),
}
_OTHERWISE = _("I pass this on to a colleague, who will write to you today.")
_ASK_BACK = _("I am not sure what this is about. Could you say it in other words? My best guess:")


def demo_project(user: User) -> Project | None:
    """The demonstration, as long as it exists and this person may look at it."""
    return access.projects_of(user).filter(slug=SLUG).first()


def answer_to(intent: str) -> str:
    words = intent.lower().rstrip("?").replace(" ", "_")
    fits = [begin for begin in _ANSWERS if words.startswith(begin)] or [each for each in _ANSWERS if each in words]
    return str(_ANSWERS[max(fits, key=len)] if fits else _OTHERWISE)


@dataclass(frozen=True)
class Guess:
    name: str
    percent: int


@dataclass(frozen=True)
class Turn:
    """One question and what the help desk said."""

    question: str
    answer: str = ""
    error: str = ""
    prediction: str = ""
    version: int = 0
    guesses: tuple[Guess, ...] = ()  # likeliest first
    asks_back: bool = False

    @property
    def others(self) -> str:
        """What the widget offers instead, as it wants to be told."""
        return "|".join(guess.name for guess in self.guesses[1:])


def turn(question: str, served: Served) -> Turn:
    guesses = _guesses(served)
    sure = served.confidence >= SURE
    return Turn(
        question=question,
        answer=answer_to(guesses[0].name) if sure else str(_ASK_BACK),
        prediction=str(served.pk),
        version=served.version.number,
        guesses=guesses,
        asks_back=not sure,
    )


def _guesses(served: Served) -> tuple[Guess, ...]:
    names = [name for _pk, name in served.version.label_order]
    given: Any = () if served.probabilities is None else served.probabilities
    probabilities = given.to_list() if hasattr(given, "to_list") else [float(one) for one in given]
    likeliest = sorted(zip(probabilities, names, strict=False), reverse=True)[:GUESSES]
    return tuple(Guess(name, round(probability * 100)) for probability, name in likeliest)


def chat_key(project: Project) -> str:
    """The publishable key of the chat: whoever may see the page may know it, so it need not be stored anywhere."""
    secret = hmac.new(settings.SECRET_KEY.encode(), f"demo-chat:{project.pk}".encode(), hashlib.sha256).hexdigest()
    return f"mk_pub_{secret[:8]}_{secret[8:]}"
