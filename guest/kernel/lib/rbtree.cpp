// Red-black tree operations; see rbtree.h for the invariants.
#include "lib/rbtree.h"

namespace kernel {

void RbRoot::replace_child(RbNode* parent, RbNode* old_child, RbNode* new_child) {
    if (!parent)
        node = new_child;
    else if (parent->left == old_child)
        parent->left = new_child;
    else
        parent->right = new_child;
}

void RbRoot::rotate_left(RbNode* pivot) {
    RbNode* up = pivot->right;
    pivot->right = up->left;
    if (up->left) up->left->set_parent(pivot);
    up->set_parent(pivot->parent());
    replace_child(pivot->parent(), pivot, up);
    up->left = pivot;
    pivot->set_parent(up);
}

void RbRoot::rotate_right(RbNode* pivot) {
    RbNode* up = pivot->left;
    pivot->left = up->right;
    if (up->right) up->right->set_parent(pivot);
    up->set_parent(pivot->parent());
    replace_child(pivot->parent(), pivot, up);
    up->right = pivot;
    pivot->set_parent(up);
}

void RbRoot::insert(RbNode* fresh, RbNode* parent, RbNode** slot) {
    fresh->parent_color = reinterpret_cast<u64>(parent); // red
    fresh->left = fresh->right = nullptr;
    *slot = fresh;
    insert_fixup(fresh);
}

void RbRoot::insert_fixup(RbNode* fresh) {
    while (RbNode* parent = fresh->parent()) {
        if (parent->black()) break;
        RbNode* grand = parent->parent(); // exists: a red node is never the root
        bool parent_is_left = grand->left == parent;
        RbNode* uncle = parent_is_left ? grand->right : grand->left;
        if (uncle && uncle->red()) { // case 1: recolour and climb
            parent->set_black();
            uncle->set_black();
            grand->set_red();
            fresh = grand;
            continue;
        }
        if (parent_is_left) {
            if (parent->right == fresh) { // case 2: straighten
                rotate_left(parent);
                parent = fresh;
            }
            parent->set_black(); // case 3
            grand->set_red();
            rotate_right(grand);
        } else {
            if (parent->left == fresh) {
                rotate_right(parent);
                parent = fresh;
            }
            parent->set_black();
            grand->set_red();
            rotate_left(grand);
        }
        break;
    }
    node->set_black();
}

void RbRoot::erase(RbNode* dead) {
    RbNode* child;
    RbNode* parent;
    bool removed_black;
    if (dead->left && dead->right) {
        // The successor takes the place and colour of `dead`; its own place is what the tree loses.
        RbNode* heir = dead->right;
        while (heir->left) heir = heir->left;
        removed_black = heir->black();
        child = heir->right;
        if (heir->parent() == dead) {
            parent = heir;
        } else {
            parent = heir->parent();
            parent->left = child;
            if (child) child->set_parent(parent);
            heir->right = dead->right;
            heir->right->set_parent(heir);
        }
        heir->left = dead->left;
        heir->left->set_parent(heir);
        replace_child(dead->parent(), dead, heir);
        heir->parent_color = dead->parent_color;
    } else {
        child = dead->left ? dead->left : dead->right;
        parent = dead->parent();
        removed_black = dead->black();
        replace_child(parent, dead, child);
        if (child) child->set_parent(parent);
    }
    if (removed_black) erase_fixup(child, parent);
    dead->parent_color = 0;
    dead->left = dead->right = nullptr;
}

/// `fresh` (perhaps null) carries one black too few; `parent` is its parent.
void RbRoot::erase_fixup(RbNode* fresh, RbNode* parent) {
    while (fresh != node && (!fresh || fresh->black())) {
        bool left = parent->left == fresh;
        RbNode* sibling = left ? parent->right : parent->left; // exists: it outweighs `fresh` by one black
        if (sibling->red()) {
            sibling->set_black();
            parent->set_red();
            if (left)
                rotate_left(parent);
            else
                rotate_right(parent);
            sibling = left ? parent->right : parent->left;
        }
        RbNode* near = left ? sibling->left : sibling->right;
        RbNode* far = left ? sibling->right : sibling->left;
        bool near_black = !near || near->black(), far_black = !far || far->black();
        if (near_black && far_black) {
            sibling->set_red();
            fresh = parent;
            parent = fresh->parent();
            continue;
        }
        if (far_black) {
            near->set_black();
            sibling->set_red();
            if (left)
                rotate_right(sibling);
            else
                rotate_left(sibling);
            sibling = left ? parent->right : parent->left;
            far = left ? sibling->right : sibling->left;
        }
        if (parent->black())
            sibling->set_black();
        else
            sibling->set_red();
        parent->set_black();
        far->set_black();
        if (left)
            rotate_left(parent);
        else
            rotate_right(parent);
        fresh = node;
        break;
    }
    if (fresh) fresh->set_black();
}

RbNode* RbRoot::first() const {
    RbNode* walk = node;
    while (walk && walk->left) walk = walk->left;
    return walk;
}

RbNode* RbRoot::last() const {
    RbNode* walk = node;
    while (walk && walk->right) walk = walk->right;
    return walk;
}

RbNode* rb_next(const RbNode* from) {
    if (from->right) {
        RbNode* walk = from->right;
        while (walk->left) walk = walk->left;
        return walk;
    }
    RbNode* parent = from->parent();
    while (parent && parent->right == from) {
        from = parent;
        parent = parent->parent();
    }
    return parent;
}

RbNode* rb_prev(const RbNode* from) {
    if (from->left) {
        RbNode* walk = from->left;
        while (walk->right) walk = walk->right;
        return walk;
    }
    RbNode* parent = from->parent();
    while (parent && parent->left == from) {
        from = parent;
        parent = parent->parent();
    }
    return parent;
}

void RbRootCached::insert(RbNode* fresh, RbNode* parent, RbNode** slot, bool is_leftmost) {
    root.insert(fresh, parent, slot);
    if (is_leftmost) leftmost = fresh;
}

void RbRootCached::erase(RbNode* dead) {
    if (leftmost == dead) leftmost = rb_next(dead);
    root.erase(dead);
}

} // namespace kernel
