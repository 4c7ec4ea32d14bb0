"""How Chinese is read aloud, so that it is found by what is typed without an input method.

支付网关 is found by zhifuwangguan, zhifu, wangguan, "zhi fu", zfwg and wg. The readings of single
characters are those of the library pypinyin; for characters with several that occur in names of
software, and for surnames, those below stand, the likeliest first, and each is indexed.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Final

HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
LONGEST_RUN: Final = 16
MOST_WORDS: Final = 120
_MOST_READINGS: Final = 8
_MOST_UNCERTAIN: Final = 4

_SEVERAL: Final = (
    "重 zhong chong/行 xing hang/会 hui kuai/會 hui kuai/长 chang zhang/長 chang zhang/"
    "调 diao tiao/調 diao tiao/单 dan shan/單 dan shan/曾 ceng zeng/朝 chao zhao/乐 le yue/"
    "樂 le yue/仇 chou qiu/解 jie xie/区 qu ou/區 qu ou/翟 zhai di/查 cha zha/盖 gai ge/"
    "传 chuan zhuan/傳 chuan zhuan/藏 cang zang/弹 tan dan/彈 tan dan/地 di de/得 de dei/"
    "都 du dou/给 gei ji/还 huan hai/和 he huo/降 jiang xiang/角 jiao jue/觉 jue jiao/"
    "率 lv shuai/了 le liao/露 lu lou/没 mei mo/模 mo mu/塞 sai se/色 se shai/省 sheng xing/"
    "石 shi dan/识 shi zhi/属 shu zhu/宿 su xiu/提 ti di/拓 tuo ta/尾 wei yi/系 xi ji/"
    "校 xiao jiao/削 xiao xue/血 xue xie/着 zhe zhao/种 zhong chong/参 can shen/車 che ju/"
    "车 che ju/称 cheng chen/匙 chi shi/大 da dai/度 du duo/壳 ke qiao/勒 le/落 luo la/"
    "埋 mai man/脉 mai mo/秘 mi bi/便 bian pian/薄 bo bao/剥 bo bao/屏 ping bing/奇 qi ji/"
    "什 shen shi/似 si shi/乘 cheng sheng/差 cha chai/臭 chou xiu/合 he ge/核 he hu/"
    "圈 quan juan/盛 sheng cheng/爪 zhao zhua/折 zhe she/覃 qin tan/朴 pu piao/缪 miao mou/"
    "员 yuan yun/召 zhao shao/繁 fan po/郗 xi chi/隗 wei kui/尉 wei yu/万 wan mo/俟 si qi/"
    "黑 hei he/洗 xi xian/宓 mi fu/晟 sheng cheng/柏 bai bo/阿 a e/绿 lv lu"
)
_READINGS: Final = {item[0]: tuple(item[2:].split()) for item in _SEVERAL.split("/")}


def pinyin_words(text: str, most: int = MOST_WORDS) -> list[str]:
    """Give the words by which a Chinese text is found in Latin letters, each once.

    They are every ending of it, as syllables and as initials, its pairs of syllables and its
    single ones; a text without Chinese characters has none.
    """
    found: dict[str, None] = {}
    if text.isascii():
        return []
    for run in HAN.findall(text):
        for syllables in _spoken(run[:LONGEST_RUN]):
            found.update(dict.fromkeys(_words(syllables)))
        if len(found) >= most:
            break
    return list(found)[:most]


def spoken(text: str) -> str:
    """Write Chinese characters as the likeliest syllables, such as `zhou hao` for 周昊."""
    if text.isascii():
        return text
    return HAN.sub(lambda run: f" {' '.join(_spoken_alone(run[0]))} ", text).strip()


def _spoken_alone(run: str) -> Iterator[str]:
    return (readings[0] if (readings := _readings(character)) else character for character in run)


def spoken_place(text: str, typed: str) -> tuple[int, int] | None:
    """Say which characters of a text are read as `typed`, as (start, end), if any are."""
    for run in HAN.finditer(text):
        for syllables in _spoken(run[0][:LONGEST_RUN]):
            found = _covered(syllables, typed)
            if found:
                return run.start() + found[0], run.start() + found[1]
    return None


def _covered(syllables: tuple[str, ...], typed: str) -> tuple[int, int] | None:
    for start in range(len(syllables)):
        rest = syllables[start:]
        if "".join(syllable[0] for syllable in rest).startswith(typed) and len(typed) > 1:
            return start, start + len(typed)
        length = 0
        for end, syllable in enumerate(rest, start + 1):
            length += len(syllable)
            if length >= len(typed):
                if "".join(rest).startswith(typed):
                    return start, end
                break
    return None


def _words(syllables: tuple[str, ...]) -> Iterator[str]:
    count = len(syllables)
    initials = "".join(syllable[0] for syllable in syllables)
    for start in range(count):
        yield "".join(syllables[start:])[:64]
    for start in range(count - 1):
        yield initials[start:]
        yield syllables[start]
        yield syllables[start] + syllables[start + 1]


def _spoken(run: str) -> list[tuple[str, ...]]:
    """Give the readings of a run, the likeliest first; of many characters with several, some."""
    readings = [found for character in run if (found := _readings(character))]
    uncertain = [at for at, several in enumerate(readings) if len(several) > 1][:_MOST_UNCERTAIN]
    varied = [several if at in uncertain else several[:1] for at, several in enumerate(readings)]
    spoken = product(*varied) if varied else iter(())
    likeliest = sorted(
        spoken,
        key=lambda said: sum(syllable != readings[at][0] for at, syllable in enumerate(said)),
    )
    return likeliest[:_MOST_READINGS]


@lru_cache(maxsize=8192)
def _readings(character: str) -> tuple[str, ...]:
    several = _READINGS.get(character)
    if several:
        return several
    # Imported late: most catalogs have no Chinese, and the table takes 13 MB; its phrases, left
    # out here, would take 44 MB more.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin import lazy_pinyin

    found = lazy_pinyin(character, errors="ignore")
    return (found[0],) if found and found[0].isascii() else ()
