// `husk image`, and what `husk status` tells of images.
#include "base/text.h"
#include "cli/format.h"
#include "rootfs/image_versions.h"

namespace husk::cli {
namespace {

const ImageNewsView* FindNews(const std::vector<ImageNewsView>& news, const std::string& image,
                              const std::string& version) {
    for (const auto& one : news)
        if (one.image == image && one.version == version) return &one;
    return nullptr;
}

std::string StateOf(const ImageView& image, const std::string& version,
                    const std::vector<ImageNewsView>& news) {
    const ImageNewsView* told = FindNews(news, image.name, version);
    if (told != nullptr) return told->news == "trial" ? "on trial" : "rolled back";
    if (version == image.current) return "current";
    return version == image.previous ? "previous" : "-";
}

}  // namespace

std::string FormatImages(const std::vector<ImageView>& images,
                         const std::vector<ImageNewsView>& news, const Now& now,
                         const Style& style) {
    if (images.empty()) return "no image has versions: 'husk image add' brings one\n";
    std::vector<std::vector<std::string>> rows = {
        {"NAME", "VERSION", "STATE", "SIZE", "ADDED", "VERITY", "RUN BY"}};
    for (const auto& image : images)
        for (const auto& one : image.versions) {
            const bool built_in = one.version == rootfs::kBuiltIn;
            const std::string run_by = Join(one.units, " ");
            rows.push_back({Visible(style, image.name), Visible(style, one.version),
                            StateOf(image, one.version, news),
                            built_in ? "-" : FormatBytes(one.size),
                            built_in ? "-" : FormatClock(one.added, now),
                            built_in     ? "-"
                            : one.verity ? "yes"
                                         : "no",
                            run_by.empty() ? "-" : Visible(style, run_by)});
        }
    const std::string told = FormatImageNews(news, now, style);
    return Cat(Table(rows), told.empty() ? "" : "\n", told);
}

std::string FormatImageNews(const std::vector<ImageNewsView>& news, const Now& now,
                            const Style& style) {
    std::string text;
    for (const auto& one : news) {
        text += Cat("image ", Visible(style, one.image), ": ");
        if (one.news == "trial")
            text += Cat(Visible(style, one.version), " is on trial; ", Visible(style, one.before),
                        " comes back unless its units prove it within ",
                        FormatDuration(std::chrono::seconds((one.within_ms + 999) / 1000)), "\n");
        else
            text += Cat("rolled back from ", Visible(style, one.version), " to ",
                        Visible(style, one.before), " at ", FormatClock(one.at, now), ": ",
                        Visible(style, one.why), "\n");
    }
    return text;
}

std::string FormatSwitch(const Answer& answer, const Style& style) {
    if (!answer.ok) return {};
    const std::string name = Visible(style, answer.image),
                      version = Visible(style, answer.image_version);
    if (answer.before == answer.image_version)
        return Cat(name, ": ", version, " was current already\n");
    std::string text =
        Cat(name, ": ", version, " is current, ", Visible(style, answer.before), " was\n");
    for (const auto& unit : answer.restarted)
        text += Cat(Visible(style, unit), ": restarted with it\n");
    for (const auto& unit : answer.left_alone)
        text += Cat(Visible(style, unit), ": does not run; it has it from its next start on\n");
    return text;
}

}  // namespace husk::cli
