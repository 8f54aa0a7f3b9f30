"""Amounts of money: integers of the smallest unit of an ISO 4217 currency."""

import re
from decimal import Decimal

from todo_shared.validation import INTEGER_MAX

_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
    CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST
    XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_THREE = "BHD IQD JOD KWD LYD OMR TND"
CURRENCIES = tuple(_CODES.split())
DECIMALS = {
    **dict.fromkeys(_WITHOUT_DECIMALS.split(), 0),
    **dict.fromkeys(_WITH_THREE.split(), 3),
}
"""The others have two."""


def known_currency(code: str) -> str:
    """Return the code, or raise ValueError: it is none of ISO 4217."""
    if code not in CURRENCIES:
        raise ValueError("A currency is three letters of ISO 4217, such as EUR.")
    return code


# Not all that Decimal takes; and what is longer it would round.
_NUMBER = re.compile("-?[0-9]{1,15}(\\.[0-9]{1,9})?")


def smallest_units(text: str, currency: str) -> int:
    """Return the amount that a person wrote, such as 12.50, in the currency's smallest unit.

    Raises ValueError: it is no amount of this currency, with the reason.
    """
    decimals = DECIMALS.get(known_currency(currency), 2)
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("An amount is a number, such as 12.50.")
    units = Decimal(text.strip()).scaleb(decimals)
    if units != units.to_integral_value():
        raise ValueError(f"{currency} has {decimals} decimals.")
    if not 0 < units <= INTEGER_MAX:
        raise ValueError(f"An amount is more than 0 and at most {shown(INTEGER_MAX, currency)}.")
    return int(units)


def shown(amount: int, currency: str) -> str:
    """Return the amount as people write it."""
    decimals = DECIMALS.get(currency, 2)
    return f"{Decimal(amount).scaleb(-decimals):.{decimals}f} {currency}"
