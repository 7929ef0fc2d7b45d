// SPDX-License-Identifier: BSL-1.0

#if __has_include(<Eigen/Core>)
#include "support/embedding_losses.hpp"

namespace support {

template void every_loss_agrees<float>(rankloss::directions);
template void every_loss_is_flat<float>(const embeddings<float>&);

}  // namespace support
#endif
